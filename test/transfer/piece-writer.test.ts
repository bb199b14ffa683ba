import { Crc64 } from '../../src/payload/crc64';
import { blockName, PieceWriter } from '../../src/transfer/piece-writer';

const records = (text: string) => ({ content: Buffer.from(text), keys: [Buffer.from(text)], expiring: 0 });

function crcOf(text: string): string {
  return new Crc64().update(Buffer.from(text)).value.toString(16).padStart(16, '0');
}

describe('the piece of a file', () => {
  it('is told once its blocks are kept, in the order in which they were appended', async () => {
    const kept = new Map<string, string>();
    const writer = new PieceWriter(null, 7, 4, 100, (generation, number, bytes) => {
      kept.set(blockName(0, generation, number), bytes.toString());
      return Promise.resolve();
    });
    writer.append(records('first'));
    const large = await writer.keepNow(Buffer.from('large'));
    writer.append(records('second'));
    writer.append({ content: [large], keys: [Buffer.from('large')], expiring: 1 });

    const piece = await writer.cut(true);

    const blocks = (piece?.runs ?? []).flatMap(([generation, first, last]) =>
      Array.from({ length: last - first + 1 }, (_, i) => kept.get(blockName(0, generation, first + i)) ?? ''),
    );
    expect(blocks).toEqual(['first', 'second', 'large']);
    expect(piece).toMatchObject({ bytes: 16, keys: 3, expiring: 1, crc: crcOf('firstsecondlarge') });
  });

  it('goes on from what an earlier worker wrote, and knows its last keys again', async () => {
    const before = new PieceWriter(null, 1, 1, 100, () => Promise.resolve());
    before.append(records('one'));
    const writer = new PieceWriter((await before.cut(true)) ?? null, 2, 1, 100, () => Promise.resolve());
    const again = Buffer.from('one');
    expect(writer.repeatedIn([again, Buffer.from('two')])).toEqual(new Set([again]));
    writer.append(records('two'));
    expect(await writer.cut(true)).toMatchObject({
      keys: 2,
      crc: crcOf('onetwo'),
      runs: [
        [1, 0, 0],
        [2, 0, 0],
      ],
    });
  });

  it('closes no small block for a checkpoint that need not be', async () => {
    const writer = new PieceWriter(null, 1, 1_000, 100, () => Promise.resolve());
    writer.append(records('little'));
    expect(await writer.cut(false)).toBeUndefined();
    expect(await writer.cut(true)).toMatchObject({ keys: 1 });
  });

  it('closes ever fewer small blocks, the fewer there may still be', async () => {
    const now = jest.spyOn(performance, 'now');
    try {
      let time = 0;
      now.mockImplementation(() => time);
      const writer = new PieceWriter(null, 1, 1_000, 50, () => Promise.resolve());
      let blocks = 0;
      for (let second = 0; second < 24 * 3_600; second++) {
        time += 1_000;
        writer.append(records('little'));
        if ((await writer.cut(false)) !== undefined) blocks++;
      }
      expect(blocks).toBeGreaterThan(25);
      expect(blocks).toBeLessThanOrEqual(50 + (24 * 3_600 * 6) / 500);
    } finally {
      now.mockRestore();
    }
  });

  it('fails in words before its row could not be read any more', async () => {
    const writer = new PieceWriter(null, 1, 1, 100, () => Promise.resolve());
    const blocks = await Promise.all(Array.from({ length: 10_001 }, () => writer.keepNow(Buffer.from('x'))));
    // Backwards none follows the one before.
    for (const block of blocks.toReversed()) writer.append({ content: [block], keys: [Buffer.from('x')], expiring: 0 });
    await expect(writer.cut(true)).rejects.toThrow('KEYFERRY_BIG_KEY_MIB');
    await expect(writer.room()).rejects.toThrow('KEYFERRY_BIG_KEY_MIB');
  });

  it('is told no more once a block could not be kept, also when the next ones could', async () => {
    let fails = true;
    const writer = new PieceWriter(null, 1, 1, 100, () =>
      fails ? Promise.reject(new Error('full')) : Promise.resolve(),
    );
    writer.append(records('lost'));
    await expect(writer.cut(true)).rejects.toThrow('full');
    fails = false;
    writer.append(records('later'));
    await expect(writer.cut(true)).rejects.toThrow('full');
    await expect(writer.room()).rejects.toThrow('full');
  });
});
