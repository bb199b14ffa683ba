import type { App } from '../app/app';
import type { Finding } from '../ledger/rows';
import { readRange } from '../transfer/range-pages';
import { makeNaming, makeSelection } from '../transfer/selection';
import { pause } from '../transfer/stop';
import { missingKeys } from '../verify/missing-keys';
import type { RangeJob } from './range-job';
import { expectedKeysOf } from './range-shape';
import { rangeSides } from './range-sides';

/** A key that is not there is looked for again, so that keys on their way to expire or just written do not count. */
const ROUNDS = 3;
const ROUND_MS = 300;

/** The second look: walks the source's keys of a range and asks the target for each. Missing ones become findings. */
export async function lookRange(job: RangeJob, app: App): Promise<void> {
  const { migration, row } = job;
  const { plan } = migration;
  const sides = rangeSides(job, app);
  const { database, source, target } = sides;
  const naming = makeNaming(plan.request.rename, database.prefix);
  const pages = readRange(sides.reader, {
    range: row,
    start: BigInt(row.cursor),
    expectedKeys: expectedKeysOf(database),
    cursorOrder: plan.source.abilities.cursorOrder,
    pageMicros: app.settings.pageMicros,
    selection: makeSelection(plan.request.select),
    namesOnly: () => true,
    budget: app.budget,
    writeMicros: () => 0,
    attempt: sides.attemptSource,
  });
  for await (const part of pages) {
    app.budget.give(part.taken);
    let open: readonly Buffer[] = part.page.keys;
    for (let round = 1; round <= ROUNDS && open.length > 0; round++) {
      const names = open.map((key) => naming?.(key) ?? key);
      const lacking = await sides.attemptTarget(() => missingKeys(target, names, plan.target.abilities.scripts));
      const keys = lacking.flatMap((i) => open[i] ?? []);
      // Gone from the source as well: expired or deleted meanwhile, so nothing is missing.
      const gone = new Set(await sides.attemptSource(() => missingKeys(source, keys, plan.source.abilities.scripts)));
      open = keys.filter((_, i) => !gone.has(i));
      if (open.length > 0 && round < ROUNDS) await pause(ROUND_MS, job);
    }
    const findings = open.map((key): Finding => ({
      migration: migration.id,
      database: row.database,
      key,
      code: 'missing',
      message: 'The key is on the source and not on the target.',
    }));
    const missing = await job.addFirstFindings(findings);
    await job.add({ scanned: part.scanned, missing, findings: missing }, [], part.next);
  }
}
