import { classifySessionKey, convertSession, readCollection } from '../../../src/convert/aspnet-session';
import { expectedSessions, snapshotFile } from './support/fixtures';
import { readHashes } from './support/rdb-hashes';

describe('the sessions that version 4 wrote into a Redis 4 snapshot', () => {
  const hashes = readHashes(snapshotFile);
  const names = Object.keys(expectedSessions);
  const convert = (session: string, nativeTypes: boolean) => {
    const fields = hashes.get(Buffer.from(`${session}_Data`).toString('latin1')) ?? [];
    const internal = hashes.get(Buffer.from(`${session}_Internal`).toString('latin1')) ?? [];
    const sessionTimeoutText = internal.find(([name]) => name.toString() === 'SessionTimeout')?.[1];
    const outcome = convertSession({ fields, sessionTimeoutText }, { nativeTypes });
    if (!outcome.ok) throw new Error(outcome.refusal.message);
    return { ...outcome, fields };
  };

  it('are 170, and no other key is taken for one', () => {
    const data = [...hashes.keys()].filter((key) => classifySessionKey(Buffer.from(key, 'latin1'))?.role === 'data');
    expect(data.map((key) => Buffer.from(key, 'latin1').toString().slice(0, -'_Data'.length)).sort()).toEqual(
      names.sort(),
    );
    expect(names).toHaveLength(170);
  });

  it.each(names)('%s: every item and the timeout', (session) => {
    const expected = expectedSessions[session]!;
    const { collection, timeoutText } = convert(session, true);
    const items = readCollection(collection).items.map((item) => {
      const { name, typeCode, payload } = item.read();
      return [name?.toString(), Buffer.concat([Buffer.of(typeCode), payload]).toString('hex')];
    });
    expect(Object.fromEntries(items)).toEqual(
      Object.fromEntries(Object.entries(expected.items).map(([name, { item }]) => [name, item])),
    );
    expect(timeoutText?.toString()).toBe(String(expected.timeout));
  });

  it('keep the bytes of version 4 without native types', () => {
    for (const session of names) {
      const { collection, fields } = convert(session, false);
      for (const [index, item] of readCollection(collection).items.entries()) {
        const { name, typeCode, payload } = item.read();
        const [field, value] = fields[index]!;
        expect(name?.equals(field)).toBe(true);
        if (expectedSessions[session]!.items[field.toString()]!.item === '15') expect(typeCode).toBe(21);
        else expect(typeCode === 20 && payload.equals(value)).toBe(true);
      }
    }
  });
});
