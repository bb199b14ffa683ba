import { Cron } from 'croner';
import { parseTimeSpan } from '../host-json';
import type { Invocation } from '../worker/function-worker';
import { parameter, rpcJson, rpcString } from '../worker/rpc-data';

/** A schedule that runs; `stop` ends it. */
export interface RunningTimer {
  stop(): void;
  /** When it fires next, for the list of functions. */
  next(): Date | null;
}

/**
 * Runs `fire` on an NCRONTAB schedule of six fields, in UTC as in Azure, or every so often for a time span
 * (`00:05:00`). A run that is due while the last one still runs is left out.
 * @throws Error when the schedule is neither
 */
export function startTimer(schedule: string, fire: () => Promise<void>): RunningTimer {
  if (/^(\d+\.)?\d{1,2}:\d{2}:\d{2}/.test(schedule)) return startInterval(parseTimeSpan(schedule), fire);
  if (schedule.trim().split(/\s+/).length !== 6) {
    throw new Error(`A schedule has six fields, seconds first: "${schedule}"`);
  }
  // legacyMode off: day of month and day of week must both match, as in NCRONTAB.
  const job = new Cron(schedule, { timezone: 'UTC', protect: true, legacyMode: false }, fire);
  return {
    stop: () => {
      job.stop();
    },
    next: () => job.nextRun(),
  };
}

function startInterval(ms: number, fire: () => Promise<void>): RunningTimer {
  let busy = false;
  let due = Date.now() + ms;
  const timer = setInterval(() => {
    due = Date.now() + ms;
    if (busy) return;
    busy = true;
    void fire().finally(() => {
      busy = false;
    });
  }, ms);
  return {
    stop: () => {
      clearInterval(timer);
    },
    next: () => new Date(due),
  };
}

/** A timer's tick as the host hands it to the worker. */
export function toTimerInvocation(bindingName: string, now: Date): Invocation {
  const [date = '', time = ''] = now.toISOString().split('T');
  const [year = '', month = '', day = ''] = date.split('-');
  return {
    inputData: [
      parameter(bindingName, rpcJson({ Schedule: { AdjustForDST: true }, ScheduleStatus: null, IsPastDue: false })),
    ],
    triggerMetadata: { TimerTrigger: rpcString(`${month}/${day}/${year} ${time.slice(0, 8)}`) },
  };
}
