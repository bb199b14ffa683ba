import type { App } from '../app/app';
import { makeListItem, makeReport, type MigrationListItem, type MigrationReport } from './report';
import { lastSnapshot } from './tally-visit';
import { BadRequestError } from './request';

const NEWEST = 200;

/** The document of one migration; undefined when there is none. */
export async function getReport(id: string, app: App): Promise<MigrationReport | undefined> {
  await app.ledger.ensure();
  const row = await app.ledger.getMigration(id);
  return row && makeReport(row, await lastSnapshot(row, app));
}

/** The newest migrations, newest first. */
export async function listReports(app: App): Promise<MigrationListItem[]> {
  await app.ledger.ensure();
  const rows = await app.ledger.listMigrations();
  rows.sort((a, b) => b.startedAt.localeCompare(a.startedAt));
  return rows.slice(0, NEWEST).map(makeListItem);
}

/** One finding as it is told: the key as text where it is UTF-8 text, otherwise as base64. */
export interface FindingReport {
  readonly database: number;
  readonly key: string;
  readonly encoding: 'utf8' | 'base64';
  readonly code: string;
  readonly message: string;
}

/** A page of findings; undefined when there is no such migration. @throws BadRequestError for a continuation that is none */
export async function getFindings(
  id: string,
  limit: number,
  continuation: string | undefined,
  app: App,
): Promise<{ findings: FindingReport[]; continuation: string | null } | undefined> {
  await app.ledger.ensure();
  if ((await app.ledger.getMigration(id)) === undefined) return undefined;
  if (continuation !== undefined && !isContinuation(continuation)) {
    throw new BadRequestError([{ path: 'continuation', message: 'is not one that was given' }]);
  }
  const page = await app.ledger.listFindings(id, limit, continuation);
  return {
    findings: page.findings.map(({ database, key, code, message }) => ({ database, ...keyText(key), code, message })),
    continuation: page.continuation ?? null,
  };
}

/** Whether a token may be one of storage: base64 of JSON that names the place of the next row. */
function isContinuation(token: string): boolean {
  try {
    const place = JSON.parse(Buffer.from(token, 'base64').toString('utf8')) as Record<string, unknown> | null;
    return typeof place?.nextPartitionKey === 'string' && typeof place.nextRowKey === 'string';
  } catch {
    return false;
  }
}

function keyText(key: Buffer): { key: string; encoding: 'utf8' | 'base64' } {
  const text = key.toString('utf8');
  return Buffer.from(text, 'utf8').equals(key)
    ? { key: text, encoding: 'utf8' }
    : { key: key.toString('base64'), encoding: 'base64' };
}
