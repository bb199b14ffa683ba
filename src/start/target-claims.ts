import type { App } from '../app/app';
import type { IsOpen } from '../ledger/target-claims';
import { writesTarget, type SideName } from '../migration/phases';
import { finalStates, type MigrationRow } from '../migration/rows';
import { ConnectionSettingsError } from '../redis/connection-settings';
import type { Plan } from '../migration/plan';
import { fileOf, isServer, nameOfSide, type FileSpec, type SideSpec } from '../migration/side-spec';
import { processesOf } from '../redis/merge-facts';
import { PlanRefusedError } from '../migration/plan-refusals';

/** A claim may be this much older than its migration's row: the start is still under way. */
const STARTING_MS = 60_000;

type Side = Pick<Plan['source'], 'runId'>;

/**
 * The names that a server is known by: its process, and where it listens, which stays the same over restarts. The ledger
 * keeps their hashes only.
 */
function namesOf(side: SideSpec, { runId }: Side, app: Pick<App, 'connections' | 'files'>): string[] {
  const file = fileOf(side);
  if (file !== undefined) return namesOfFile(file, app);
  if (!isServer(side)) return [];
  const connection = side;
  const address = addressOf(connection, app);
  const processes = runId === '' ? [connection.toUpperCase()] : processesOf(runId);
  return [...processes, ...(address === undefined ? [] : [`address ${address}`])];
}

function namesOfFile(file: FileSpec, app: Pick<App, 'files'>): string[] {
  try {
    return [`file ${app.files.get(file.rdb).address}/${file.file}`];
  } catch (error) {
    if (error instanceof ConnectionSettingsError) return [`file ${nameOfSide(file)}`];
    throw error;
  }
}

function addressOf(connection: string, app: Pick<App, 'connections'>): string | undefined {
  try {
    return app.connections.addressOf(connection);
  } catch (error) {
    // Of another migration whose connection is no longer in the settings.
    if (error instanceof ConnectionSettingsError) return undefined;
    throw error;
  }
}

function targetNames({ request, target }: Plan, app: Pick<App, 'connections' | 'files'>): string[] {
  return namesOf(request.target, target, app);
}

/**
 * Takes the target of a plan for one migration, until that has ended. What writes nothing may look on while others write.
 * @throws PlanRefusedError where another migration writes to it
 */
export async function claimTarget(
  plan: Plan,
  id: string,
  app: Pick<App, 'connections' | 'files' | 'ledger'>,
): Promise<void> {
  if (!writesTarget(plan)) return;
  const names = targetNames(plan, app);
  const holder = await app.ledger.targets.claim(names, id, isOpenIn(app));
  if (holder !== id) throw targetBusy(holder, plan);
  const other = await otherWriter(names, id, app);
  if (other === undefined) return;
  await giveBackTarget(plan, id, app);
  throw targetBusy(other, plan);
}

/** Gives back the target of a migration that never began. */
export async function giveBackTarget(
  plan: Plan,
  id: string,
  app: Pick<App, 'connections' | 'files' | 'ledger'>,
): Promise<void> {
  if (writesTarget(plan)) await app.ledger.targets.giveBack(targetNames(plan, app), id);
}

/**
 * Takes the target for a running migration under a process that it has become since. Returns the id of another migration
 * that writes to that process; undefined where all is well.
 */
export async function claimAlso(
  { id, plan }: Pick<MigrationRow, 'id' | 'plan'>,
  runId: string,
  app: Pick<App, 'ledger'>,
): Promise<string | undefined> {
  if (!writesTarget(plan) || runId === '') return undefined;
  const holder = await app.ledger.targets.claim(processesOf(runId), id, isOpenIn(app));
  return holder === id ? undefined : holder;
}

/** The migration that writes to a side of another one; undefined where none does. */
export async function writerOf(
  side: SideName,
  { request, [side]: facts }: Pick<Plan, 'request'> & Readonly<Record<SideName, Side>>,
  app: Pick<App, 'connections' | 'files' | 'ledger'>,
): Promise<string | undefined> {
  return await app.ledger.targets.holderOf(namesOf(request[side], facts, app), isOpenIn(app));
}

/** A claim holds until its migration has ended, also where the rest of the row cannot be read. */
function isOpenIn(app: Pick<App, 'ledger'>): IsOpen {
  return async ({ holder, since }) => {
    const state = await app.ledger.migrations.stateOf(holder);
    if (state === undefined) return holder !== '' && Math.abs(app.ledger.now() - since) < STARTING_MS;
    return !finalStates.some((final) => final === state);
  };
}

/** A running migration that writes to the same target although its claim is lost; undefined where there is none. */
async function otherWriter(
  names: readonly string[],
  id: string,
  app: Pick<App, 'connections' | 'files' | 'ledger'>,
): Promise<string | undefined> {
  const others = (await app.ledger.migrations.list('open')).filter(
    (row) => row.id !== id && row.state !== 'planned' && writesTarget(row.plan) && !finalStates.includes(row.state),
  );
  return others.find(({ plan }) => targetNames(plan, app).some((name) => names.includes(name)))?.id;
}

export function targetBusy(holder: string, { request }: Pick<Plan, 'request'>): PlanRefusedError {
  return new PlanRefusedError(
    'targetBusy',
    `The migration ${holder} is writing to the target "${nameOfSide(request.target)}"; wait for it or cancel it.`,
  );
}
