import { readRangeName } from '../../src/migration/rows';
import type { Persistence, Scenario } from './scenario';
import type { App } from './app';
import type { Journal, SideName } from './journal';
import type { ServerSide } from './server-side';
import type { Storage } from './storage';
import { setTimeout as sleep } from 'node:timers/promises';
import { holdsWithin } from './wait';

/** What a fault acts on. */
export interface Stage {
  readonly scenario: Scenario;
  readonly app: App;
  readonly storage: Storage;
  readonly source: ServerSide;
  readonly target: ServerSide;
  readonly journal: Journal;
  /** The migration's id; another one after it was started anew. */
  readonly migration: string;
  /** Cancels the migration, waits for its end and starts another one with the same request. */
  startAnew(): Promise<void>;
  /** Asks for another migration into the same target, which must be refused while this one writes. */
  intrude(): Promise<void>;
}

/** A fault of a scenario. */
export interface PlannedFault {
  readonly name: FaultName;
  readonly side: SideName;
  /** When: ms after the start, or after the phases that verify have begun. */
  readonly after: 'start' | 'verifying';
  readonly atMs: number;
  /** How long it lasts, where it does. */
  readonly ms: number;
  /** 0 to 99, for what else it has to decide. */
  readonly roll: number;
}

interface Fault {
  /** What it acts on: faults of one part follow each other. */
  readonly part: 'app' | 'storage' | 'server' | 'way' | 'ledger' | 'api';
  /** What it acts on besides. */
  readonly also?: Fault['part'];
  /** How often it is chosen, against the others. */
  readonly weight: number;
  /** Whether it makes sense; always where left out. */
  possible?(scenario: Scenario, side: SideName): boolean;
  /** Whether it makes a side lose keys. */
  loses?(scenario: Scenario, fault: PlannedFault): SideName | undefined;
  act(stage: Stage, fault: PlannedFault): Promise<void>;
}

const choiceOf = (scenario: Scenario, side: SideName) => scenario[side];
/** After a crash nothing is missing only where everything is written down. */
const loseless: readonly Persistence[] = ['aof'];

/** An hour. */
export const CLOCK_SET_BACK_MS = 3_600_000;

/** Other hosts run beside the app, which is killed and started again in their midst, before they are killed. */
async function beside(others: number, { app }: Stage, { ms }: PlannedFault): Promise<void> {
  await app.joined(others, async () => {
    await sleep(ms);
    await app.end('SIGKILL');
    await sleep(2 * ms);
    await app.begin();
    await sleep(ms);
  });
}

/** Everything that can befall a migration. */
export const faults = {
  'kill app': {
    part: 'app',
    weight: 10,
    act: async ({ app }, { ms }) => {
      await app.end('SIGKILL');
      await sleep(ms / 4);
      await app.begin();
    },
  },
  'end app in order': {
    part: 'app',
    weight: 3,
    act: async ({ app }) => {
      await app.end('SIGINT');
      await app.begin();
    },
  },
  'freeze app': {
    weight: 4,
    part: 'app',
    act: async ({ app }, { ms }) => {
      app.signal('SIGSTOP');
      await sleep(2 * ms);
      app.signal('SIGCONT');
    },
  },
  'a second host, and each killed once': {
    part: 'app',
    weight: 4,
    act: async (stage, fault) => beside(1, stage, fault),
  },
  'three hosts, and each killed once': {
    part: 'app',
    weight: 3,
    act: async (stage, fault) => beside(2, stage, fault),
  },
  'half-open storage': {
    part: 'storage',
    weight: 4,
    act: async ({ storage }) => {
      storage.strand();
      return Promise.resolve();
    },
  },
  'freeze storage': {
    weight: 3,
    part: 'storage',
    act: async ({ storage }, { ms }) => {
      storage.signal('SIGSTOP');
      await sleep(2 * ms);
      storage.signal('SIGCONT');
    },
  },
  'kill storage': {
    part: 'storage',
    weight: 4,
    act: async (stage, { ms }) => {
      // The real one loses nothing that it has answered; a plan that was never written would be no storage's fault.
      await holdsWithin(8_000, () => stage.storage.hasWritten(stage.migration));
      await stage.storage.end('SIGKILL');
      await sleep(ms / 4);
      await stage.storage.begin();
    },
  },
  'restart storage': {
    part: 'storage',
    weight: 3,
    act: async ({ storage }, { ms }) => {
      await storage.end('SIGTERM');
      await sleep(ms / 2);
      await storage.begin();
    },
  },
  'set the clock back, and forward again': {
    part: 'app',
    also: 'storage',
    weight: 3,
    act: async ({ app, storage }, { ms }) => {
      for (const shiftMs of [-CLOCK_SET_BACK_MS, 0]) {
        await app.end('SIGKILL');
        await storage.end('SIGTERM');
        await storage.begin(shiftMs);
        await app.begin(shiftMs);
        if (shiftMs !== 0) await sleep(2 * ms);
      }
    },
  },
  'kill server': {
    part: 'server',
    weight: 12,
    loses: (scenario, { side }) => (loseless.includes(choiceOf(scenario, side).persistence) ? undefined : side),
    act: async (stage, { side, ms, roll }) => {
      if (choiceOf(stage.scenario, side).persistence === 'recent') {
        await stage[side].save();
        await sleep(roll * 10);
      }
      await stage[side].crash(ms, false);
    },
  },
  'kill server and wipe its disk': {
    part: 'server',
    weight: 6,
    loses: (_, { side }) => side,
    act: async (stage, { side, ms }) => stage[side].crash(ms, true),
  },
  'flush everything': {
    part: 'server',
    weight: 4,
    loses: (_, { side }) => side,
    act: async (stage, { side }) => {
      await stage[side].call('FLUSHALL');
    },
  },
  'flush a database': {
    part: 'server',
    weight: 3,
    loses: (_, { side }) => side,
    act: async (stage, { side, roll }) => {
      const { databases } = stage.scenario;
      const client = stage[side].client(databases[roll % databases.length] ?? 0);
      await client.flushdb();
    },
  },
  'fail over': {
    part: 'server',
    weight: 40,
    possible: (scenario, side) => choiceOf(scenario, side).replica,
    // What the replica had not been sent is lost.
    loses: (_, { side }) => side,
    act: async (stage, { side, ms, roll }) => {
      if (roll < 40) {
        await stage[side].detachReplica();
        await sleep(roll * 20);
      }
      await stage[side].failOver(ms / 2);
    },
  },
  'cut connections': {
    part: 'way',
    weight: 8,
    act: async (stage, { side }) => {
      stage[side].proxy.cut();
      return Promise.resolve();
    },
  },
  'cut inside of a command or reply': {
    part: 'way',
    weight: 8,
    act: async (stage, { side, ms }) => {
      stage[side].proxy.cutInside();
      await sleep(ms / 4);
    },
  },
  'many cuts': {
    part: 'way',
    weight: 6,
    act: async (stage, { side, ms, roll }) => {
      for (const end = Date.now() + ms; Date.now() < end;) {
        stage[side].proxy.cutInside();
        await sleep(20 + roll);
      }
      stage[side].proxy.heal();
    },
  },
  'refuse connections': {
    part: 'way',
    weight: 4,
    act: async (stage, { side, ms }) => {
      stage[side].proxy.refuse(ms);
      await sleep(ms);
    },
  },
  stall: {
    part: 'way',
    weight: 8,
    act: async (stage, { side, ms }) => {
      stage[side].proxy.stall(2 * ms);
      await sleep(2 * ms);
    },
  },
  'freeze server': {
    part: 'server',
    weight: 3,
    act: async (stage, { side, ms }) => stage[side].freeze(ms),
  },
  'lead to one of two servers': {
    part: 'way',
    weight: 25,
    possible: (scenario, side) => choiceOf(scenario, side).replica,
    act: async (stage, { side, ms }) => stage[side].splitWay(3 * ms),
  },
  'evict keys': {
    part: 'server',
    weight: 5,
    possible: (_, side) => side === 'target',
    loses: () => 'target',
    act: async ({ target }, { roll }) => {
      const used = Number(/used_memory:(\d+)/.exec(String(await target.call('INFO', 'memory')))?.[1]);
      await target.call('CONFIG', 'SET', 'maxmemory-policy', roll % 2 === 0 ? 'allkeys-lru' : 'allkeys-random');
      await target.call('CONFIG', 'SET', 'maxmemory', used + roll * 10_000 - 300_000);
    },
  },
  'fill target': {
    part: 'server',
    weight: 3,
    possible: (_, side) => side === 'target',
    act: async ({ target }, { ms }) => {
      await target.call('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
      await target.call('CONFIG', 'SET', 'maxmemory', 1_000_000);
      await sleep(2 * ms);
      await target.call('CONFIG', 'SET', 'maxmemory', 0);
    },
  },
  'delete a range row': {
    part: 'ledger',
    weight: 3,
    act: async (stage, { roll }) => {
      const { table, row } = await aRangeRow(stage, roll);
      await table.deleteEntity(stage.migration, row);
    },
  },
  'garbage in a range row': {
    part: 'ledger',
    weight: 3,
    act: async (stage, { roll }) => {
      const { table, row } = await aRangeRow(stage, roll);
      const garbage = [{ counts: '{"scanned":' }, { counts: '{}' }, { cursor: 'x' }, { state: 'odd' }][roll % 4];
      await table.updateEntity({ partitionKey: stage.migration, rowKey: row, ...garbage }, 'Merge');
    },
  },
  'double a message': {
    part: 'ledger',
    weight: 5,
    act: async (stage, { roll }) => {
      const queue = stage.storage.queue('ranges');
      for (let at = 0; at < 3; at++) {
        const { row } = await aRangeRow(stage, roll * 7 + at);
        const message = JSON.stringify({ migration: stage.migration, range: row });
        await queue.sendMessage(Buffer.from(message).toString('base64'));
      }
    },
  },
  'cancel and start anew': {
    part: 'api',
    weight: 4,
    act: async (stage) => stage.startAnew(),
  },
  'a second migration': {
    part: 'api',
    weight: 4,
    possible: ({ request }) => request.mode === 'copy' || request.mode === 'sync',
    act: async (stage) => stage.intrude(),
  },
} as const satisfies Record<string, Fault>;

export type FaultName = keyof typeof faults;
export const faultNames = Object.keys(faults) as FaultName[];

/** A fault as any other. */
export function faultOf(name: FaultName): Fault {
  return faults[name];
}

async function aRangeRow({ storage, migration }: Stage, roll: number) {
  const table = storage.table('KeyferryRanges');
  const rows: string[] = [];
  const filter = `PartitionKey eq '${migration}'`;
  for await (const { rowKey } of table.listEntities({ queryOptions: { filter, select: ['rowKey'] } })) {
    // Beside them are what dry runs have learnt.
    if (rowKey !== undefined && readRangeName(rowKey) !== undefined) rows.push(rowKey);
  }
  const row = rows[roll % rows.length];
  if (row === undefined) throw new Error('There are no range rows.');
  return { table, row };
}
