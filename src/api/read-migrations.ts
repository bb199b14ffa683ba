import type { App } from '../app/app';
import { inParallel } from '../basics/in-parallel';
import { isContinuation } from '../ledger/findings';
import { isCurrent } from '../migration/course';
import type { HistoryReport } from '../migration/history';
import { makeLiveReport } from '../migration/live';
import { isFollowed } from '../migration/phases';
import { isFinal, isSign } from '../migration/rows';
import { keyText } from '../migration/key-text';
import type { FindingReport, FindingsPage } from './documents';
import { makeRangesReport, type RangesReport } from '../tally/range-states';
import {
  makeListItem,
  makeReport,
  makeUnreadableItem,
  type MigrationList,
  type MigrationListItem,
  type MigrationReport,
} from '../migration/report';
import { freshSnapshot } from '../tally/last-snapshot';
import { BadRequestError } from '../migration/request';
import { rowsOfPlan } from '../migration/rows-of-plan';

const NEWEST = 200;

/** Who follows a source writes twice a second. */
const SILENCE_MS = 10_000;

/** The document of one migration; undefined when there is none. @throws UnreadableRowError, as all that read one do */
export async function getReport(id: string, app: Pick<App, 'ledger'>): Promise<MigrationReport | undefined> {
  await app.ledger.ensure();
  const row = await app.ledger.migrations.get(id);
  if (row === undefined) return undefined;
  const follower = isFollowed(row.plan) ? await app.ledger.live.get(id) : undefined;
  const now = app.ledger.now();
  const works = follower !== undefined && isSign(follower.heartbeat, now, SILENCE_MS);
  const standby = isFollowed(row.plan) ? await app.ledger.live.getStandby(id) : undefined;
  const listens = standby !== undefined && isSign(standby.heartbeat, now, SILENCE_MS) ? standby : undefined;
  return makeReport(row, await freshSnapshot(row, app), makeLiveReport(row, follower, works, now, listens));
}

/** Lines of the list as they were told last, by the ids of migrations, each with the ETag of the row that it was made of. */
type ToldItems = Map<string, { readonly etag: string; readonly item: MigrationListItem }>;
const toldItems = new WeakMap<App['ledger'], ToldItems>();

/** Rows that are read at once. */
const PARALLEL = 8;

/** The newest migrations, newest first. Plans are long, and there are as many as there ever were: those alone are read that have changed. */
export async function listReports({ ledger }: Pick<App, 'ledger'>): Promise<MigrationList> {
  await ledger.ensure();
  const heads = await ledger.migrations.heads();
  const newest = heads.sort((a, b) => b.startedAt.localeCompare(a.startedAt)).slice(0, NEWEST);
  const before = toldItems.get(ledger);
  const now: ToldItems = new Map();
  const items = await inParallel(newest, PARALLEL, async ({ id, etag }) => {
    const known = before?.get(id);
    if (known?.etag === etag) {
      now.set(id, known);
      return [known.item];
    }
    const row = await ledger.migrations.getOrUnreadable(id);
    if (row === undefined) return [];
    if ('reason' in row) return [makeUnreadableItem(row)];
    const item = makeListItem(row);
    now.set(id, { etag: row.etag, item });
    return [item];
  });
  toldItems.set(ledger, now);
  return { migrations: items.flat() };
}

/** How every range of the current phase stands; undefined when there is no such migration. */
export async function getRanges(id: string, app: Pick<App, 'ledger' | 'settings'>): Promise<RangesReport | undefined> {
  await app.ledger.ensure();
  const row = await app.ledger.migrations.get(id);
  if (row === undefined) return undefined;
  const seen = await app.ledger.seenRanges.list(id, { whole: isFinal(row) });
  const rows = rowsOfPlan(row, seen.rows, 'current');
  return makeRangesReport(
    row,
    rows.filter(({ number }) => number >= 0),
    app.ledger.now(),
    app.settings.silenceSeconds * 1_000,
  );
}

/** The course so far, a point each time the tally looked; undefined when there is no such migration. */
export async function getHistory(id: string, app: Pick<App, 'ledger'>): Promise<HistoryReport | undefined> {
  await app.ledger.ensure();
  const row = await app.ledger.migrations.get(id);
  if (row === undefined) return undefined;
  const { history, followed } = await freshSnapshot(row, app);
  return { points: history ?? [[0, 0]], ...(followed === undefined ? {} : { followed }) };
}

/** A search looks at this many pages before it answers, even with nothing. */
const PAGES_SEARCHED = 20;

/**
 * A page of findings; undefined when there is no such migration.
 * @param search only findings whose key, code or message has this text in it, in letters of either case
 * @throws BadRequestError for a continuation that is none
 */
export async function getFindings(
  id: string,
  limit: number,
  continuation: string | undefined,
  app: Pick<App, 'ledger'>,
  search = '',
): Promise<FindingsPage | undefined> {
  await app.ledger.ensure();
  const migration = await app.ledger.migrations.get(id);
  if (migration === undefined) return undefined;
  const counts = isCurrent(migration);
  if (continuation !== undefined && !isContinuation(continuation)) {
    throw new BadRequestError([{ path: 'continuation', message: 'is not one that was given' }]);
  }
  let next = continuation;
  for (let looked = 1; ; looked++) {
    const page = await app.ledger.findings.list(id, limit, next, counts);
    const findings = page.findings
      .map(({ database, key, code, message }): FindingReport => ({ database, ...keyText(key), code, message }))
      .filter((finding) => hasText(finding, search));
    next = page.continuation;
    if (findings.length > 0 || next === undefined || looked >= PAGES_SEARCHED) {
      return { findings, continuation: next ?? null };
    }
  }
}

function hasText({ key, code, message }: FindingReport, search: string): boolean {
  const wanted = search.toLowerCase();
  return [key, code, message].some((text) => text.toLowerCase().includes(wanted));
}
