import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Outcome } from './run-scenario';

/** Keeps what is known about a scenario that went wrong. Returns the folder. */
export async function keepEvidence(root: string, outcome: Outcome, appLog: string): Promise<string> {
  const folder = path.join(root, `${outcome.scenario.seed}-${outcome.violations[0]?.kind ?? 'good'}`);
  await mkdir(folder, { recursive: true });
  const json = (value: unknown) => JSON.stringify(value, undefined, 2);
  const { scenario, violations, events, report, findings, keys, servers } = outcome;
  await Promise.all([
    writeFile(path.join(folder, 'scenario.json'), json(scenario)),
    writeFile(path.join(folder, 'violations.json'), json({ violations, keys })),
    writeFile(path.join(folder, 'events.json'), json(events)),
    writeFile(path.join(folder, 'report.json'), json({ report, findings })),
    writeFile(path.join(folder, 'servers.json'), json(servers)),
    writeFile(path.join(folder, 'app.log'), withoutPolls(appLog).slice(-2_000_000)),
  ]);
  return folder;
}

/** The run's own questions for the report are many. */
function withoutPolls(log: string): string {
  return log.replaceAll(/^.*getMigration: done in.*\n/gm, '');
}
