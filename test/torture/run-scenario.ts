import { setTimeout as sleep } from 'node:timers/promises';
import type { MigrationReport } from '../../src/migration/report';
import type { Finding } from './app';
import { Course, endOf, RefusedError, startMigration } from './course';
import type { House } from './house';
import { CLOCK_SET_BACK_MS } from './faults';
import { Journal, keyId, type JournalEvent, type SideName } from './journal';
import { judge, type Evidence, type Violation } from './judge';
import { leftovers } from './leftovers';
import { fillSource, fillTarget, plantDifferences, tornKeys } from './prepare';
import { bodyOf, isOlder, isQuiet, type Scenario } from './scenario';
import { ServerSide } from './server-side';
import { readEverything, type Snapshot } from './snapshot';
import { startRewriter, startWriter, type Writer } from './writers';

/** What came of a scenario. */
export interface Outcome {
  readonly scenario: Scenario;
  /** The migration's state; "forgotten" where the app knows nothing of it, "open" where it did not end, "refused" where it was not taken. */
  readonly verdict: string;
  readonly seconds: number;
  readonly violations: readonly Violation[];
  readonly events: readonly JournalEvent[];
  readonly report: MigrationReport | null | undefined;
  readonly findings: readonly Finding[];
  /** What keys of violations were at each time, for people. */
  readonly keys: Readonly<Record<string, unknown>>;
  readonly servers: Readonly<Record<SideName, string>>;
}

/** A migration that ended while the app's clock was set back says so by that clock. */
function byRightClock(report: MigrationReport, events: readonly JournalEvent[]): MigrationReport {
  const end = Date.parse(report.finishedAt ?? '') + CLOCK_SET_BACK_MS;
  const isShifted = events.some(
    ({ what, from, to }) => what.startsWith('set the clock back') && end >= from && end <= to,
  );
  return isShifted ? { ...report, finishedAt: new Date(end).toISOString() } : report;
}

/** How long keys of ours may stay after the end. */
const graceMs = 6_000;
const mostFindings = 3_000;

/** Runs a scenario in a house, and judges it. */
export async function runScenario(scenario: Scenario, house: House): Promise<Outcome> {
  const sides: ServerSide[] = [];
  const start = async (name: SideName): Promise<ServerSide> => {
    const side = await ServerSide.start(name, scenario[name], house.proxies[name], house.folder);
    sides.push(side);
    return side;
  };
  try {
    const [source, target] = await Promise.all([start('source'), start('target')]);
    return await runBetween(scenario, house, source, target);
  } finally {
    await Promise.all(sides.map((side) => side.end()));
  }
}

async function runBetween(scenario: Scenario, house: House, source: ServerSide, target: ServerSide): Promise<Outcome> {
  const journal = new Journal();
  const before = await prepare(scenario, house, source, target);
  const course = new Course(scenario, house, source, target, journal);
  const started = Date.now();
  const empty = { scenario, events: [], findings: [], keys: {}, report: undefined };
  const servers = () => ({ source: source.lastWords, target: target.lastWords });
  try {
    await course.start();
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    const violation = { kind: 'false-alarm', detail: `Refused: ${error.message}`, count: 0, keys: [] } as const;
    return { ...empty, verdict: 'refused', seconds: 0, violations: [violation], servers: servers() };
  }
  const watch = watchEvictions(scenario, target);
  const stopWriters = startWriters(scenario, course, before, journal);
  await course.finish();
  // The run's own reading must not make it evict.
  await target.call('CONFIG', 'SET', 'maxmemory', 0).catch(() => undefined);
  await stopWriters();
  const seconds = (Date.now() - started) / 1_000;
  const left = await waitForLeftovers([source, target]);
  await watch.stop();
  const { report, stoodStill } = course;
  const findings = report ? await house.app.findings(report.id, mostFindings).catch(() => []) : [];
  const ended = [
    ...[source, target].filter((side) => side.hasEnded).map(({ name }) => name),
    ...(house.app.hasEnded ? ['app' as const] : []),
  ];
  const broken = journal.events.find(({ what, error }) => error !== undefined && what.startsWith('kill server'));
  if (broken !== undefined) throw new Error(`${broken.what}: ${broken.error ?? ''}`);
  const readAt = Date.now();
  const after = ended.length > 0 ? before : await readBoth(source, target);
  const evidence: Evidence = {
    request: scenario.request,
    quiet: isQuiet(scenario),
    before,
    after,
    touched: { source: new Set(journal.touched.source.keys()), target: new Set(journal.touched.target.keys()) },
    losses: [
      ...journal.events.flatMap(({ loses, to }) => (loses === undefined ? [] : [{ side: loses, to }])),
      ...(target.evicted.keys > 0 ? [{ side: 'target' as const, to: target.evicted.lastAt }] : []),
    ],
    ended,
    leftovers: left,
    torn: ended.length > 0 ? [] : await tornKeys(scenario, target),
    report: stoodStill ? undefined : report && byRightClock(report, journal.events),
    findings: findings.map(({ database, key, encoding, code }) => ({
      id: keyId(database, Buffer.from(key, encoding === 'base64' ? 'base64' : 'utf8')),
      code,
    })),
    findingsAreAll: findings.length < mostFindings,
    olderTarget: isOlder(scenario),
    startedAnew: course.startedAnew,
    intruded: course.intruded,
    readAt,
  };
  const violations = judge(evidence);
  return {
    scenario,
    verdict: stoodStill || report === undefined ? 'open' : report === null ? 'forgotten' : report.state,
    seconds,
    violations,
    events: journal.events,
    report,
    findings: findings.slice(0, 50),
    keys: describeKeys(violations, evidence, journal),
    servers: servers(),
  };
}

/** Fills both servers. What is there when the migration starts. */
async function prepare(
  scenario: Scenario,
  house: House,
  source: ServerSide,
  target: ServerSide,
): Promise<Record<SideName, Snapshot>> {
  await fillSource(scenario, source);
  const there = await readEverything(source.url);
  if (scenario.targetBefore === 'copied') {
    const { source: from, target: to, select, databases } = bodyOf(scenario);
    const body = { source: from, target: to, mode: 'copy', select, databases };
    const report = await endOf(house.app, await startMigration(house.app, body), 60_000);
    const withoutOld = isOlder(scenario) && report.state === 'completedWithDifferences' && report.tally.missing === 0;
    if (report.state !== 'completed' && !withoutOld) throw new Error(`The copy before: ${JSON.stringify(report)}`);
  }
  if (scenario.target.persistence === 'old') await target.save();
  await fillTarget(scenario, target, there);
  await plantDifferences(scenario, target, there);
  if (scenario.target.persistence === 'start') await target.save();
  await target.replicated();
  return { source: there, target: await readEverything(target.url) };
}

async function readBoth(source: ServerSide, target: ServerSide): Promise<Record<SideName, Snapshot>> {
  const [one, other] = await Promise.all([readEverything(source.url), readEverything(target.url)]);
  return { source: one, target: other };
}

function startWriters(
  scenario: Scenario,
  course: Course,
  before: Record<SideName, Snapshot>,
  journal: Journal,
): () => Promise<void> {
  const { source, target, rewriting, stopAt } = scenario.writers;
  const writers: Writer[] = [];
  if (source > 0) writers.push(startWriter(course.source, before.source, source, journal, scenario));
  if (target > 0) {
    const keys = new Map([...before.target, ...before.source]);
    writers.push(startWriter(course.target, keys, target, journal, scenario));
  }
  if (rewriting) writers.push(startRewriter(course.source, journal, scenario));
  const stop = async () => {
    await Promise.all(writers.splice(0).map((writer) => writer.stop()));
  };
  const timer = stopAt === 'end' ? undefined : setTimeout(() => void stop(), scenario.expectedMs * stopAt);
  return async () => {
    clearTimeout(timer);
    await stop();
  };
}

function watchEvictions({ faults }: Scenario, target: ServerSide): { stop(): Promise<void> } {
  if (!faults.some(({ name }) => name === 'evict keys')) return { stop: () => Promise.resolve() };
  const timer = setInterval(() => {
    void target.watchEvictions().catch(() => undefined);
  }, 100);
  return {
    stop: async () => {
      clearInterval(timer);
      await target.watchEvictions().catch(() => undefined);
    },
  };
}

async function waitForLeftovers(sides: readonly ServerSide[]): Promise<string[]> {
  const end = Date.now() + graceMs;
  for (;;) {
    const left = await leftovers(sides.filter((side) => !side.hasEnded));
    if (left.length === 0 || Date.now() > end) return left;
    await sleep(500);
  }
}

function describeKeys(violations: readonly Violation[], evidence: Evidence, journal: Journal): Record<string, unknown> {
  const ids = [...new Set(violations.flatMap(({ keys }) => keys))];
  return Object.fromEntries(
    ids.map((id) => [
      id,
      {
        sourceBefore: evidence.before.source.get(id),
        sourceAfter: evidence.after.source.get(id),
        targetBefore: evidence.before.target.get(id),
        targetAfter: evidence.after.target.get(id),
        touchedOnSource: journal.touched.source.get(id),
        touchedOnTarget: journal.touched.target.get(id),
      },
    ]),
  );
}
