import { getFindings } from '../../src/api/read-migrations';
import type { MigrationReport } from '../../src/migration/report';
import { getReport } from '../../src/api/read-migrations';
import { parseMigrationRequest } from '../../src/migration/request';
import { startMigration } from '../../src/start/start-migration';
import { startPhase } from '../../src/tally/start-phase';
import { sumRanges, type Sum } from '../../src/tally/sum';
import { visitMigration } from '../../src/tally/tally-visit';
import { workOnRange } from '../../src/work/range-worker';
import type { TestApp } from './test-app';

/** What a migration came to. */
export interface Outcome {
  readonly report: MigrationReport;
  /** "code key" of each finding, in order. */
  readonly findings: readonly string[];
  readonly messages: readonly string[];
}

/** What happens while a migration runs. */
export interface Events {
  /** Done when all ranges of a phase have been worked on, before the tally looks; the phase's name. */
  readonly afterPhase?: (phase: string) => Promise<unknown>;
  /** Goes on beside the migration from its start. */
  readonly beside?: (id: string) => Promise<unknown>;
  /** Whether the tally looks while ranges are worked on, too. */
  readonly visits?: true;
}

/** Has the tally look until the work is done. */
async function visitUntil(works: Promise<unknown>, id: string, app: TestApp): Promise<void> {
  let isDone = false as boolean;
  works.finally(() => (isDone = true)).catch(() => undefined);
  while (!isDone) {
    await visitMigration(id, app);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Runs a migration from OLD to NEW to its end, as queue and tally would. */
export async function run(app: TestApp, request: Record<string, unknown>, events: Events = {}): Promise<Outcome> {
  const { id, phase } = await startMigration(parseMigrationRequest({ source: 'OLD', target: 'NEW', ...request }), app);
  const beside = events.beside?.(id);
  let worked = phase;
  for (;;) {
    const messages = await app.takeMessages();
    const works = Promise.all(messages.map((message) => workOnRange(message, app)));
    if (events.visits) await visitUntil(works, id, app);
    await works;
    if (messages.length > 0) continue;
    await events.afterPhase?.(worked);
    const visit = await visitMigration(id, app);
    if (visit === undefined || visit.finished) break;
    if (visit.due !== null) {
      await startPhase(id, visit.due, app);
      worked = visit.due.phase;
    } else await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await beside;
  const report = await getReport(id, app);
  if (report === undefined) throw new Error('no report');
  const findings: string[] = [];
  const messages: string[] = [];
  let continuation: string | undefined;
  do {
    const page = await getFindings(id, 1_000, continuation, app);
    findings.push(...(page?.findings ?? []).map(({ code, key }) => `${code} ${key}`));
    messages.push(...(page?.findings ?? []).map(({ message }) => message));
    continuation = page?.continuation ?? undefined;
  } while (continuation !== undefined);
  return { report, findings: findings.sort(), messages };
}

/** What the range rows of a migration say together. */
export async function sumOf(app: TestApp, id: string): Promise<Sum> {
  const migration = await app.ledger.migrations.get(id);
  if (migration === undefined) throw new Error('no migration');
  return sumRanges(migration, await app.ledger.ranges.list(id));
}
