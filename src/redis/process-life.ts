import { infoField, infoNumber } from './info';

/** What INFO tells of a server process, to know it again by. */
export interface ProcessLife {
  /** Its run id; where it tells none, all that stays the same in a process. */
  readonly name: string;
  readonly isTold: boolean;
  /** When INFO was asked, by the monotonic clock, ms. */
  readonly askedAt: number;
  /** How long it runs, and counters that only grow; undefined where it does not tell them. */
  readonly uptimeSeconds: number | undefined;
  readonly grows: readonly (number | undefined)[];
}

const STAYS = ['process_id', 'tcp_port', 'redis_version', 'role', 'master_replid', 'master_replid2'];
const GROWS = ['total_commands_processed', 'total_connections_received', 'total_net_input_bytes'];
/** Whole seconds on both ends, and the time that a reply takes. */
const SPREAD_SECONDS = 5;

/** Reads an INFO as it was told just now. */
export function lifeOf(info: string, askedAt = performance.now()): ProcessLife {
  const runId = infoField(info, 'run_id') ?? '';
  return {
    name: runId === '' ? STAYS.map((field) => infoField(info, field) ?? '').join(' ') : runId,
    isTold: runId !== '',
    askedAt,
    uptimeSeconds: infoNumber(info, 'uptime_in_seconds'),
    grows: GROWS.map((field) => infoNumber(info, field)),
  };
}

/**
 * Whether nothing speaks for another process than before. Where the run id is not told, a time that it runs which does not fit, or a counter
 * that went back, does.
 */
export function isSameLife(before: ProcessLife, later: ProcessLife): boolean {
  if (before.name !== later.name) return false;
  if (before.isTold) return true;
  const passed = (later.askedAt - before.askedAt) / 1_000;
  const ran = (later.uptimeSeconds ?? 0) - (before.uptimeSeconds ?? 0);
  if (before.uptimeSeconds !== undefined && Math.abs(ran - passed) > SPREAD_SECONDS) return false;
  return before.grows.every((count, i) => count === undefined || (later.grows[i] ?? 0) >= count);
}
