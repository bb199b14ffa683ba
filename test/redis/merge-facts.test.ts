import { mergeFacts, partOf, processesOf } from '../../src/redis/merge-facts';
import { plainSource } from '../tools/rows';
import type { ServerFacts } from '../../src/redis/probe';

const { abilities: _, ...plain } = plainSource;
const node = (facts: Partial<ServerFacts>): ServerFacts => ({ ...plain, cluster: true, ...facts });

describe('what the masters of a cluster tell together', () => {
  it('is what the one tells where there is one', () => {
    const only = node({ runId: 'a' });
    expect(mergeFacts([only])).toBe(only);
    expect(() => mergeFacts([])).toThrow(RangeError);
  });

  it('is the sum of their numbers, and unknown where one does not tell', () => {
    const database = (keys: number | undefined) => [{ database: 0, keys, expires: 1 }];
    const all = [
      node({ runId: 'b', databases: database(5), usedMemory: 10, changes: 1, commandCalls: { set: 2 } }),
      node({
        runId: 'a',
        databases: database(7),
        usedMemory: 20,
        changes: undefined,
        commandCalls: { set: 1, del: 4 },
      }),
      node({ runId: 'c', databases: [], usedMemory: 30, changes: 3, commandCalls: {} }),
    ];
    expect(mergeFacts(all)).toMatchObject({
      runId: 'a+b+c',
      databases: [{ database: 0, keys: 12, expires: 2 }],
      usedMemory: 60,
      changes: undefined,
      commandCalls: { set: 3, del: 4 },
    });
    expect(mergeFacts([...all, node({ databases: database(undefined) })]).databases[0]!.keys).toBeUndefined();
  });

  it('is the lowest version, a limit only where all have one, a policy where one may evict, and loading where one is', () => {
    const facts = mergeFacts([
      node({ version: '7.0.15', maxMemory: 100 }),
      node({ version: '6.2.9', maxMemory: 0, evictionPolicy: 'allkeys-lru', loading: true }),
      node({ version: '6.10.1', maxMemory: 100 }),
    ]);
    expect(facts).toMatchObject({ version: '6.2.9', maxMemory: 0, evictionPolicy: 'allkeys-lru', loading: true });
  });

  it('has what each process tells of its replication, in the order of their run ids', () => {
    const facts = mergeFacts([
      node({ runId: 'b', replicationId: '2222222222222222', formerReplicationId: '3333333333333333' }),
      node({ runId: 'a', replicationId: '1111111111111111' }),
      node({ runId: 'c', replicationId: undefined }),
    ]);
    expect(facts).toMatchObject({ replicationId: '1111111111+2222222222+', formerReplicationId: '+3333333333+' });
    expect([0, 1, 2].map((place) => partOf(facts.replicationId, place))).toEqual([
      '1111111111',
      '2222222222',
      undefined,
    ]);
    expect(
      mergeFacts([node({ runId: 'a', replicationId: '1' }), node({ runId: '', replicationId: '2' })]),
    ).toMatchObject({
      replicationId: undefined,
    });
  });

  it('has no process where one node tells none', () => {
    expect(mergeFacts([node({ runId: 'a' }), node({ runId: '' })]).runId).toBe('');
    expect(processesOf('a+b')).toEqual(['a', 'b']);
    expect(processesOf('')).toEqual([]);
  });
});
