import fc from 'fast-check';
import type { EncodedCommands } from '../../src/redis/encoded-command';
import type { Argument, Command } from '../../src/redis/redis-port';
import { encodeRestores } from '../../src/transfer/encode-restores';

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
/** Some so large that they go by reference. */
const payload = fc.oneof(
  { weight: 9, arbitrary: bytes(300) },
  { weight: 1, arbitrary: fc.constantFrom(65_535, 65_536, 100_000).map((size) => Buffer.alloc(size, 'v')) },
);
const NOW = 1_795_000_000_000;
const expiry = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 1, max: 3_000 }).map((ms) => NOW + ms),
  fc.constantFrom(NOW + 999_999_999, NOW + 1_000_000_000, 8_640_000_000_000_000, Number.MAX_SAFE_INTEGER),
);

function bytesOf({ pieces }: EncodedCommands): Buffer {
  return Buffer.concat(pieces);
}

/** A command as the protocol has it. */
function plainly(command: Command): Buffer {
  const bulk = (argument: Argument) => {
    const text = Buffer.from(argument);
    return [Buffer.from(`$${text.length}\r\n`), text, Buffer.from('\r\n')];
  };
  return Buffer.concat([Buffer.from(`*${command.length}\r\n`), ...command.flatMap(bulk)]);
}

describe('pages as RESTORE commands', () => {
  it.each([
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ])('are the bytes of the same commands one by one (replace %s, absolute expiry %s)', (replace, absoluteExpiry) => {
    fc.assert(
      fc.property(fc.array(fc.record({ key: bytes(40), expiry, payload }), { maxLength: 20 }), (entries) => {
        const commands = entries.map((entry): Command => {
          const ttl = entry.expiry === 0 || absoluteExpiry ? entry.expiry : entry.expiry - NOW;
          const flags = [...(replace ? ['REPLACE'] : []), ...(absoluteExpiry && entry.expiry !== 0 ? ['ABSTTL'] : [])];
          return ['RESTORE', entry.key, String(ttl), entry.payload, ...flags];
        });
        const encoded = encodeRestores(entries, { replace, absoluteExpiry, now: NOW });
        expect(encoded.count).toBe(entries.length);
        expect(bytesOf(encoded).equals(Buffer.concat(commands.map(plainly)))).toBe(true);
      }),
    );
  });

  it('have large payloads as they are, not copied', () => {
    const large = Buffer.alloc(100_000, 'v');
    const entries = [{ key: Buffer.from('k'), expiry: 0, payload: large }];
    const { pieces } = encodeRestores(entries, { replace: true, absoluteExpiry: true, now: NOW });
    expect(pieces).toContain(large);
  });

  it('go over the wire as the protocol has them', () => {
    const entries = [{ key: Buffer.from('k'), expiry: 1_795_000_000_123, payload: Buffer.from('abc') }];
    const sent = bytesOf(encodeRestores(entries, { replace: true, absoluteExpiry: true, now: NOW }));
    expect(sent.toString()).toBe(
      '*6\r\n$7\r\nRESTORE\r\n$1\r\nk\r\n$13\r\n1795000000123\r\n$3\r\nabc\r\n$7\r\nREPLACE\r\n$6\r\nABSTTL\r\n',
    );
  });
});
