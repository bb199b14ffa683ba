import type { MigrationRow, RangeRow } from '../../src/migration/rows';
import { rangeName } from '../../src/migration/rows';
import { noCounts } from '../../src/migration/counts';
import { firstCourse } from '../../src/migration/course';
import { makePhases } from '../../src/migration/phases';
import type { Plan } from '../../src/migration/plan';
import { parseMigrationRequest, type MigrationRequest } from '../../src/migration/request';

/** What both sides of a plan told: ordinary servers, as far as nothing else is said. */
export const plainSource: Plan['source'] = {
  version: '6.0.16',
  software: 'redis',
  compatibleVersion: '6.0.16',
  cluster: false,
  role: 'master',
  runId: 'source-run',
  usedMemory: 1_000_000,
  maxMemory: 0,
  evictionPolicy: 'noeviction',
  evictedKeys: 0,
  databases: [{ database: 0, keys: 1_000, expires: 0 }],
  loading: false,
  abilities: { scripts: true, memoryUsage: true, dump: true, payloadVersion: 9, cursorOrder: true, functions: 0 },
};

export const plainTarget: Plan['target'] = {
  ...plainSource,
  version: '8.0.2',
  compatibleVersion: '8.0.2',
  runId: 'target-run',
  databases: [],
  abilities: { scripts: true, restore: true, payloadVersions: [[6, 12]], absoluteExpiry: true },
};

export function aRequest(changes: Record<string, unknown> = {}): MigrationRequest {
  return parseMigrationRequest({ source: 'OLD', target: 'NEW', ...changes });
}

export function aPlan(changes: Partial<Plan> = {}): Plan {
  const { request = aRequest(), targetDatabases } = changes;
  return {
    request,
    phases: makePhases(request, targetDatabases !== undefined),
    source: plainSource,
    target: plainTarget,
    databases: [{ database: 0, targetDatabase: 0, prefix: '', keys: 1_000, bits: 2 }],
    inPlace: false,
    transport: 'payload',
    conversions: [],
    targetKeysAtStart: 0,
    warnings: [],
    ...changes,
  };
}

export function aMigration(changes: Partial<MigrationRow> = {}): MigrationRow {
  return {
    id: 'migration-1',
    state: 'running',
    phase: 'copy',
    pass: 0,
    requestHash: 'hash',
    plan: aPlan(),
    epoch: 0,
    walkedRunId: 'source-run',
    cancelRequested: false,
    cutoverRequestedAt: null,
    stopCause: null,
    course: courseTo(changes.phase ?? 'copy', changes.plan ?? aPlan()),
    startedAt: '2026-01-01T00:00:00.000Z',
    finishedAt: null,
    cause: null,
    traceparent: null,
    phasesWithRows: [],
    visit: '',
    etag: '',
    ...changes,
  };
}

/** All phases up to one have begun, in the first epoch. */
function courseTo(phase: string, plan: Plan): MigrationRow['course'] {
  const last = plan.phases.findIndex(({ name }) => name === phase);
  return { ...firstCourse(plan), walks: plan.phases.slice(0, last + 1).map((_, place) => ({ place, epoch: 0 })) };
}

export function aRange(number: number, changes: Partial<RangeRow> = {}): RangeRow {
  const phase = changes.phase ?? 'copy';
  return {
    migration: 'migration-1',
    name: rangeName(phase, number),
    phase,
    number,
    database: 0,
    index: number % 4,
    bits: 2,
    state: 'planned',
    epoch: 0,
    pass: 0,
    generation: 0,
    builders: [],
    cursor: '0',
    inside: false,
    wroteAhead: false,
    presumedOwn: 0,
    share: 0,
    counts: noCounts,
    borders: [],
    piece: null,
    findingRuns: [],
    progress: 0,
    tries: 0,
    begunAnew: 0,
    restsUntil: null,
    clockDoubtMs: 0,
    heartbeat: null,
    trouble: null,
    cause: null,
    etag: '',
    ...changes,
  };
}
