import { StoppedError, type StopSignal } from '../../src/migration/stop';
import { FileTables, type TableOfFile } from '../../src/transfer/file-tables';
import { KeyTable } from '../../src/transfer/key-table';

const goOn: StopSignal = { check: () => undefined };

function tableOf(id: string, bytes: number) {
  let made = 0;
  const table: TableOfFile = {
    id,
    bytes,
    make: () => {
      made++;
      return Promise.resolve(new KeyTable(1, { expiries: false, notes: false }));
    },
  };
  return { table, made: () => made };
}

describe('a table of keys', () => {
  it('knows what was added, when it expires and what was noted, and takes no more than was announced', () => {
    const table = new KeyTable(3, { expiries: true, notes: true });
    const [one, two, three, four] = ['one', 'two', 'three', 'four'].map((name) => Buffer.from(name)) as [
      Buffer,
      Buffer,
      Buffer,
      Buffer,
    ];
    table.add(one, 0, 0xffff_fffe);
    table.add(two, 1_000, 2);
    table.add(three, 0);
    expect([one, two, three, four].map((key) => table.noteOf(key, 999))).toEqual([0xffff_fffe, 2, 0, undefined]);
    expect([one, two].map((key) => table.noteOf(key, 1_000))).toEqual([0xffff_fffe, undefined]);
    expect(() => {
      table.add(four, 0);
    }).toThrow('more keys than were planned with');
  });

  it('takes the bytes that it is said to take', () => {
    expect(KeyTable.bytesFor(8_000_000, { expiries: true, notes: false })).toBeLessThan(192 * 1_048_576);
    expect(KeyTable.bytesFor(6_000_000, { expiries: true, notes: true })).toBeLessThan(192 * 1_048_576);
  });
});

describe('the tables of a process', () => {
  it('are made once, however many ask', async () => {
    const tables = new FileTables();
    const { table, made } = tableOf('a', 10);
    await Promise.all([tables.of(table, goOn), tables.of(table, goOn)]);
    await tables.of(table, goOn);
    expect(made()).toBe(1);
  });

  it('give way to others only when nobody uses them, those first that were not used for longest', async () => {
    const tables = new FileTables(100, 50);
    const [a, b, c] = [tableOf('a', 50), tableOf('b', 50), tableOf('c', 50)] as const;
    await tables.of(b.table, goOn);
    await tables.of(a.table, goOn);
    const looks: number[] = [];
    const waiting: StopSignal = {
      check: () => {
        looks.push(looks.length);
        // Somebody uses the one that was made first.
        void tables.of(b.table, goOn);
      },
    };
    await tables.of(c.table, waiting);
    expect(looks.length).toBeGreaterThan(0);
    await tables.of(b.table, goOn);
    expect([a.made(), b.made(), c.made()]).toEqual([1, 1, 1]);
    await tables.of(a.table, goOn);
    expect(a.made()).toBe(2);
  });

  it('let one through alone that is larger than all may be', async () => {
    const tables = new FileTables(100, 0);
    await tables.of(tableOf('a', 50).table, goOn);
    await tables.of(tableOf('large', 1_000).table, goOn);
  });

  it('are waited for no longer than the work may last, be it for room or for one that is made', async () => {
    const tables = new FileTables(100, 60_000);
    const stopped: StopSignal = {
      check: () => {
        throw new StoppedError('deadline');
      },
    };
    await tables.of(tableOf('a', 100).table, goOn);
    await expect(tables.of(tableOf('b', 100).table, stopped)).rejects.toThrow(StoppedError);
    const never: TableOfFile = { id: 'never', bytes: 0, make: () => new Promise(() => undefined) };
    await expect(tables.of(never, stopped)).rejects.toThrow(StoppedError);
  });

  it('forget one that could not be made', async () => {
    const tables = new FileTables();
    const failing: TableOfFile = { id: 'a', bytes: 1, make: () => Promise.reject(new Error('away')) };
    await expect(tables.of(failing, goOn)).rejects.toThrow('away');
    const { table, made } = tableOf('a', 1);
    await tables.of(table, goOn);
    expect(made()).toBe(1);
  });
});
