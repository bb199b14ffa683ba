import { readFileSync } from 'node:fs';

/** Clock ticks a second that /proc counts in: 100 on every Linux that Node runs on. */
const TICKS = 100;

/** CPU seconds (user and system) that a process has used so far. Linux only. */
export function cpuSeconds(pid: number): number {
  // The second field is the name in brackets and may hold spaces: what follows the last bracket is regular.
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** The most memory a process has held, MiB. */
export function peakMemoryMiB(pid: number): number {
  const match = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  return Number(match?.[1] ?? 0) / 1_024;
}
