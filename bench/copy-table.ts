import Table from 'cli-table3';
import type { Measured } from './measure';

/** Of a table in which each row is what one copy cost. */
export const COPY_HEAD = [
  '',
  'keys on target',
  's',
  'keys/s',
  'CPU s copier',
  'CPU s source',
  'CPU s target',
  'MiB copier',
  '',
];

/** With two digits behind the point; empty where it is not known. */
export const two = (value: number | undefined) => (value === undefined ? '' : value.toFixed(2));

export function copyRow(name: string, run: Measured): string[] {
  return [
    name,
    run.keys.toLocaleString('en'),
    two(run.seconds),
    Math.round(run.keys / run.seconds).toLocaleString('en'),
    two(run.appCpu),
    two(run.sourceCpu),
    two(run.targetCpu),
    run.memory === undefined ? '' : run.memory.toFixed(0),
    run.note ?? '',
  ];
}

export function showCopies(rows: readonly (readonly string[])[]): void {
  const table = new Table({ head: COPY_HEAD, style: { head: [], border: [] } });
  table.push(...rows.map((row) => [...row]));
  console.log(table.toString());
}
