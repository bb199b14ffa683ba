import type { MigrationListItem } from '../../src/migration/report';
import { render } from '../display/accounting';
import { safeText } from '../../src/basics/safe-text';
import { isEnded } from '../outcome';
import { migrationsOf, type RememberedSide, type RunFolder, type SeenMigration } from '../runs/run-folder';
import { serviceElsewhere } from '../service/local-service';
import type { Service } from '../service/service';
import { deployedService, runStore, type CommonOptions, type Context } from './context';

type Line = MigrationListItem & { note?: string };

/** `keyferry list`. @returns the exit code */
export async function list(options: CommonOptions, { display }: Context): Promise<number> {
  const deployed = deployedService(options);
  const store = runStore(options);
  const lines: Line[] =
    deployed === undefined
      ? (await Promise.all((await store.all()).map(linesOf))).flat()
      : [...(await deployed.client.list())];
  if (options.json === true) {
    const onThisMachine = deployed === undefined;
    const told = lines.map(({ note, ...item }) => ({
      ...item,
      ...(onThisMachine ? { standsStill: note !== undefined } : {}),
    }));
    display.printJson({ migrations: told });
    return 0;
  }
  if (lines.length === 0) {
    display.print(deployed === undefined ? `No migrations in ${store.dataFolder}.` : 'No migrations.');
    return 0;
  }
  display.print(
    render(
      lines.map((line) => [
        line.id,
        line.note === undefined ? line.state : `${line.state} (${line.note})`,
        safeText(line.source),
        safeText(line.target),
        shortTime(line.startedAt),
        line.finishedAt === null ? '–' : shortTime(line.finishedAt),
      ]),
      ['id', 'state', 'source', 'target', 'started (UTC)', 'finished'],
    ),
  );
  return 0;
}

/** The migrations of a folder, newest first. */
async function linesOf(run: RunFolder): Promise<Line[]> {
  const live = await serviceElsewhere(run);
  const seen = migrationsOf(run.record).toReversed();
  return (await Promise.all(seen.map((each) => lineOf(each, run.record.createdAt, live)))).filter(
    (line) => line !== undefined,
  );
}

async function lineOf(
  { id, report, source, target }: SeenMigration,
  createdAt: string,
  live: Service | undefined,
): Promise<Line | undefined> {
  if (id === null) return undefined;
  const now =
    live === undefined
      ? report
      : await live.client.get(id).then(
          ({ body }) => body,
          () => report,
        );
  const state = now?.state ?? 'planned';
  return {
    id,
    state,
    source: named(source),
    target: named(target),
    startedAt: now?.startedAt ?? createdAt,
    finishedAt: now?.finishedAt ?? null,
    ...(live === undefined && !isEnded(state) ? { note: 'stands still' } : {}),
  };
}

function named({ name, address }: RememberedSide): string {
  return name === '' ? '' : `${name} (${address})`;
}

function shortTime(iso: string): string {
  return iso.slice(0, 19).replace('T', ' ');
}
