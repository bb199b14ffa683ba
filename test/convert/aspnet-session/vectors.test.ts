import { convertSession, readCollection, writeCollection } from '../../../src/convert/aspnet-session';
import { collections, redisExample, vector, vectors } from './support/fixtures';

const blobOf = (name: string, value: Buffer, nativeTypes: boolean): string => {
  const outcome = convertSession({ fields: [[Buffer.from(name), value]] }, { nativeTypes });
  return outcome.ok ? outcome.collection.toString('hex') : outcome.refusal.message;
};

describe('values that real serializers wrote', () => {
  it('are 129', () => {
    expect(vectors).toHaveLength(129);
  });

  it.each(vectors)('$name becomes the bytes that version 5 writes', ({ name, nrbf, blob }) => {
    expect(blobOf(name, nrbf, true)).toBe(blob.toString('hex'));
  });

  it.each(vectors)('$name is carried as type 20 without native types', ({ name, nrbf, blob, blobType20 }) => {
    // Null is the exception: version 5 would read version 4's stand-in as an object.
    expect(blobOf(name, nrbf, false)).toBe((name === 'null' ? blob : blobType20).toString('hex'));
  });

  it.each(vectors.filter(({ nrbfNet10 }) => nrbfNet10 !== undefined))(
    '$name from .NET 10 too',
    ({ name, nrbfNet10, item }) => {
      const outcome = convertSession({ fields: [[Buffer.from(name), nrbfNet10!]] });
      if (!outcome.ok) throw new Error(outcome.refusal.message);
      const { typeCode, payload } = readCollection(outcome.collection).items[0]!.read();
      expect(typeCode).toBe(item[0]);
      if (typeCode === 20) expect(payload.equals(nrbfNet10!)).toBe(true);
      else expect(payload.toString('hex')).toBe(item.toString('hex', 1));
    },
  );
});

describe('collections that .NET wrote', () => {
  it.each([
    ['empty', collections.empty, []],
    ['two items', collections.two_a1_bcxy, ['a', 'bc']],
    ['a null value', collections.nullItem_n, ['n']],
    ['a null name first', collections.nullKeyFirst_5_b6, [null, 'b']],
    ['a null name second', collections.nullKeySecond_b6_5, ['b', null]],
    [
      'all values but one',
      collections.all.hex,
      vectors.filter(({ name }) => name !== 'string_20000').map(({ name }) => name),
    ],
  ])('%s is read and written alike', (_, hex, names) => {
    const { items, trailing } = readCollection(Buffer.from(hex, 'hex'));
    expect(items.map(({ name }) => name?.toString() ?? null)).toEqual(names);
    expect(trailing).toBe(0);
    expect(writeCollection(items.map((item) => item.read())).toString('hex')).toBe(hex);
  });

  it('a session of all values at once', () => {
    const expected = Buffer.from(collections.all.hex, 'hex');
    // That run's SortedList had another capacity than its vector, and so other bytes; it is carried as it is.
    const sortedList = readCollection(expected).items.find(({ name }) => name?.toString() === 'sortedlist')!;
    const fields = vectors
      .filter(({ name }) => name !== 'string_20000')
      .map(({ name, nrbf }) => [Buffer.from(name), name === 'sortedlist' ? sortedList.read().payload : nrbf] as const);
    const outcome = convertSession({ fields });
    expect(outcome.ok && outcome.collection.equals(expected)).toBe(true);
  });

  it('an uninitialised session', () => {
    expect(blobOf('SessionStateActions', vector('SessionStateActions').nrbf, true)).toBe(
      collections.uninitialized_SessionStateActions,
    );
  });
});

describe('a session that was read back by the version 5 provider from a real Redis', () => {
  const appId = `{${redisExample.app}_${redisExample.id}}`;
  const fields = Object.entries(redisExample.before[`${appId}_Data`]!.fieldsHex!).map(
    ([name, value]) => [Buffer.from(name), Buffer.from(value, 'hex')] as const,
  );

  it('is converted to the same bytes', () => {
    const native = convertSession({ fields, sessionTimeoutText: Buffer.from('1200') });
    const type20 = convertSession({ fields }, { nativeTypes: false });
    const after = JSON.stringify(redisExample.after);
    expect(after).toContain(native.ok ? native.collection.toString('hex') : native.refusal.message);
    expect(after).toContain(type20.ok ? type20.collection.toString('hex') : type20.refusal.message);
    expect(native.ok && native.timeoutText?.toString()).toBe('1200');
  });
});
