import type { ScheduleReport } from '../../src/schedule/report-schedules';
import { render } from '../display/accounting';
import { safeText } from '../../src/basics/safe-text';
import { UsageError } from '../outcome';
import { deployedService, type CommonOptions, type Context } from './context';

/** `keyferry schedules`. @returns the exit code: 0, or 1 where settings are wrong */
export async function schedules(options: CommonOptions, { display }: Context): Promise<number> {
  const service = deployedService(options);
  if (service === undefined) {
    throw new UsageError('Only an app that stays has schedules: name it with --endpoint.');
  }
  const report = await service.client.schedules();
  const code = report.mistakes.length === 0 ? 0 : 1;
  if (options.json === true) {
    display.printJson(report);
    return code;
  }
  if (report.schedules.length === 0) display.print('Nothing is scheduled.');
  else {
    display.print(
      render(report.schedules.map(lineOf), [
        'name',
        'from',
        'to',
        'next (local)',
        'next (UTC)',
        'last due (UTC)',
        'last',
      ]),
    );
  }
  for (const { path, message } of report.mistakes) display.note(`${safeText(path)}: ${safeText(message)}`);
  return code;
}

function lineOf({ name, source, target, next: [next], last, waiting }: ScheduleReport): string[] {
  const state = last === null ? '–' : [last.state, last.message].filter((part) => part !== null).join(': ');
  return [
    name,
    source,
    target,
    next === undefined ? '–' : next.local,
    next === undefined ? '–' : shortTime(next.at),
    last === null ? '–' : shortTime(last.due),
    waiting === null ? safeText(state) : `${safeText(state)} (${shortTime(waiting.due)} waits)`,
  ];
}

function shortTime(iso: string): string {
  return iso.slice(0, 19).replace('T', ' ');
}
