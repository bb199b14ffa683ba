import { decodeFollowMessage, decodeMessage, owedMsOf } from '../../src/ledger/range-queue';
import {
  findingSchema,
  liveSchema,
  migrationSchema,
  mustParse,
  rangeSchema,
  snapshotSchema,
} from '../../src/ledger/row-schemas';
import { firstCourse } from '../../src/migration/course';
import { keyText } from '../../src/migration/key-text';
import type { Plan } from '../../src/migration/plan';
import { firstSnapshot, makeListItem, makeReport } from '../../src/migration/report';
import { parseMigrationRequest } from '../../src/migration/request';
import { rangeName, type MigrationRow } from '../../src/migration/rows';
import { PagePlace } from '../../src/range/page-place';
import { readSchedules } from '../../src/schedule/schedule-settings';
import { parseHostJson } from '../../local/host-json';
import { aMigration, aPlan, aRange, aRequest } from '../tools/rows';
import type { Dice } from '../torture/dice';
import { changeDocument } from './change-document';
import { changeText } from './change-text';
import { edge, type Edge } from './edge';

const requests = [
  { source: 'OLD', target: 'NEW' },
  {
    source: 'OLD',
    target: 'NEW',
    mode: 'copy',
    databases: { 0: 1, 3: 'three:' },
    select: { match: ['user:*', 'h[ae]llo?'], exclude: ['tmp:*'], types: ['string', 'hash'] },
    rename: [{ from: '^(\\w+):(\\d+)$', to: '$2:$1' }],
    onConflict: 'skip',
    verify: 'full',
    limits: { keysPerSecond: 1_000, bytesPerSecond: 1e6, parallelRanges: 8, maxSourceLatencyMs: 2 },
    convert: ['aspnet-session-v5', { converter: 'distributed-cache', to: 'strings' }],
    requestId: 'nightly-1',
  },
  { source: 'OLD', target: 'NEW', mode: 'sync', deleteExtra: true },
  { source: 'OLD', target: 'NEW', mode: 'compare', verify: 'full' },
  { source: 'OLD', target: 'NEW', mode: 'live', live: { feed: 'auto' } },
  { source: 'OLD', target: { rdb: 'BACKUPS', file: 'before.rdb', version: 9 } },
  { source: { rdb: 'BACKUPS', file: 'before.rdb' }, target: 'NEW' },
];

/** What is in table storage as JSON or as properties. */
const stored = (document: unknown): unknown => JSON.parse(JSON.stringify(document));

const { id: _id, etag: _etag, ...migrationRow } = aMigration();
const migrations = [{}, { mode: 'compare' }, { mode: 'sync', deleteExtra: true }, { select: { match: ['a*'] } }].map(
  (changes) => {
    const plan = aPlan({ request: aRequest(changes) });
    const phase = plan.phases[0]?.name ?? 'copy';
    const row = aMigration({ plan, phase });
    return stored({
      ...migrationRow,
      plan: row.plan,
      phase,
      course: JSON.stringify(row.course),
      phasesWithRows: phase,
      stopCause: '',
      finishedAt: '',
      cutoverRequestedAt: '',
      cause: '',
      traceparent: '',
    });
  },
);

const { piece: _piece, ...rangeRow } = aRange(1);
const ranges = [
  stored({
    ...rangeRow,
    builders: '1 2',
    borders: '100:5 200:7',
    share: '0.5',
    counts: JSON.stringify(rangeRow.counts),
    heartbeat: '2026-01-01T00:00:00.000Z',
    restsUntil: '2026-01-01T00:01:00.000Z',
    trouble: '',
    cause: '',
  }),
].map((row) => ({ ...(row as object), piece: null }));

function rowOf(input: unknown): MigrationRow {
  const { version: _, ...row } = mustParse('The row', migrationSchema, input);
  const plan = row.plan as unknown as Plan;
  return { ...row, id: 'migration-1', plan, course: row.course ?? firstCourse(plan), etag: '' };
}

const change = (sample: unknown, _other: unknown, dice: Dice) => changeDocument(sample, dice);
const changeJson = (sample: string, _other: string, dice: Dice) =>
  JSON.stringify(changeDocument(JSON.parse(sample), dice));
const UNREADABLE = ['UnreadableRowError', 'NewerRowError'];
const mark = { runId: 'r', changes: 1 };
const now = '2026-01-01T00:00:00.000Z';

export const documentEdges: readonly Edge[] = [
  edge({ name: 'request', samples: requests, change, take: parseMigrationRequest, refusals: ['BadRequestError'] }),
  edge({
    name: 'schedules',
    samples: requests
      .map((migration) => ({
        name: 'nightly',
        when: { cron: '0 30 2 * * *', zone: 'Europe/Berlin' },
        catchUp: 'PT2H',
        migration,
      }))
      .map((schedule) => JSON.stringify(schedule)),
    change: changeJson,
    take: (input) => {
      const { mistakes } = readSchedules({ SCHEDULED_MIGRATIONS: `[${input}]`, SCHEDULED_MIGRATION_ONE: input });
      if (mistakes.some(({ message }) => message === '')) throw new Error('a mistake without a message');
    },
    refusals: [],
  }),
  edge({
    name: 'range message',
    samples: [
      { migration: '20261130-1', range: rangeName('copy', 1), owedUntil: 1e12, owedMs: 10, traceparent: '00-a-b-01' },
    ].map((message) => JSON.stringify(message)),
    change: changeJson,
    take: (input) => {
      const message = decodeMessage(input);
      const owed = owedMsOf(message, 1e12);
      if (!(owed >= 0 && owed <= 86_400_000)) throw new Error(`owes ${owed} ms`);
    },
    refusals: ['ForeignMessageError'],
  }),
  edge({
    name: 'follow message',
    samples: ['{ "migration": "20261130-1" }'],
    change: changeJson,
    take: decodeFollowMessage,
    refusals: ['ForeignMessageError'],
  }),
  edge({
    name: 'row of a migration, its report',
    samples: migrations,
    change,
    take: (input) => {
      const row = rowOf(input);
      JSON.stringify([makeReport(row, firstSnapshot(row)), makeListItem(row)]);
    },
    refusals: UNREADABLE,
  }),
  edge({
    name: 'row of a range',
    samples: ranges,
    change,
    take: (input) => mustParse('The row', rangeSchema, input),
    refusals: UNREADABLE,
  }),
  edge({
    name: 'sum of the tally, its report',
    samples: [
      stored({ ...firstSnapshot(aMigration()), history: [[1, 2]], lanes: { phase: 'copy', epoch: 0, left: 1 } }),
    ],
    change,
    take: (input) => {
      const { version: _, ...snapshot } = mustParse('The sum', snapshotSchema, input);
      JSON.stringify(makeReport(aMigration(), snapshot as unknown as Parameters<typeof makeReport>[1]));
    },
    refusals: UNREADABLE,
  }),
  edge({
    name: 'finding',
    samples: [{ version: 2, database: 0, key: Buffer.from('user:1\xff', 'latin1'), code: 'missing', message: 'x' }],
    change,
    take: (input) => keyText(Buffer.from(mustParse('The finding', findingSchema, input).key)),
    refusals: UNREADABLE,
  }),
  edge({
    name: 'row of a follower',
    samples: [
      {
        holder: 'h',
        generation: 1,
        session: 's',
        runId: 'r',
        feed: 'tracking',
        listeningSince: now,
        settled: true,
        heartbeat: now,
        waiting: 0,
        kept: 0,
        lagMs: 1,
        written: 1,
        deleted: 1,
        gaps: 0,
        lastGap: null,
        findings: 0,
        trouble: null,
        builders: [1],
        clockDoubtMs: 1,
        step: null,
        quietSince: now,
        proof: { source: mark, quietSince: now, at: now, barrierMs: 1, names: 1, drainMs: 1, streams: 0 },
      },
    ],
    change,
    take: (input) => mustParse('The row', liveSchema, input),
    refusals: UNREADABLE,
  }),
  edge({
    name: 'place inside a page',
    samples: ['{"done":["a","b"],"notes":{"parts":{"k":{"at":1}}}}'],
    change: (sample, _, dice) => changeText(sample, dice),
    take: (input) => PagePlace.read(Buffer.from(input))?.has(Buffer.from('k')),
    refusals: [],
  }),
  edge({
    name: 'host.json',
    samples: [
      {
        version: '2.0',
        functionTimeout: '00:10:00',
        extensions: {
          queues: { batchSize: 16, maxDequeueCount: 5, visibilityTimeout: '00:00:05', messageEncoding: 'base64' },
          durableTask: { hubName: 'Hub' },
          http: { routePrefix: 'api' },
        },
      },
    ],
    change,
    take: (input) => {
      const { queues } = parseHostJson(input);
      if (!(queues.batchSize >= 1) || Number.isNaN(queues.visibilityTimeoutMs)) throw new TypeError('out of bounds');
    },
    refusals: ['Error'],
  }),
];
