import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { quantile } from './median';

/**
 * A client that has nothing to do with the migration: GET and SET by turns at a steady rate, in a process of its own.
 * Writes one line of JSON for each line that it reads: the latencies since the last one.
 * Usage: node foreign-client.js <redis url> <operations per second>
 */
export interface Latencies {
  readonly operations: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly longest: number;
}

const KEYS = 1_000;

async function main(url: string, perSecond: number): Promise<void> {
  const redis = new Redis(url);
  let taken: number[] = [];
  process.stdin.on('data', () => {
    taken = [];
    const at = (share: number) => quantile(share, taken) || 0;
    const line: Latencies = { operations: taken.length, p50: at(0.5), p99: at(0.99), longest: at(1) };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  });
  process.stdin.on('end', () => {
    redis.disconnect();
    process.exit();
  });
  const started = performance.now();
  for (let i = 0; ; i++) {
    const due = started + (i * 1_000) / perSecond;
    const wait = due - performance.now();
    if (wait > 0) await sleep(wait);
    const key = `foreign:${i % KEYS}`;
    const sent = performance.now();
    const done = i % 2 === 0 ? redis.set(key, 'x') : redis.get(key);
    void done.then(() => taken.push(performance.now() - sent));
  }
}

void main(process.argv[2] ?? '', Number(process.argv[3]));
