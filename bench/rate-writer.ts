import { Redis } from 'ioredis';

/**
 * Writes to a server at a steady rate, in a process of its own: 64-byte strings, fields of hashes, counters, expiries and deletions, of keys
 * of its own. Tells how many commands were answered, for each line that it reads; where its input ends, it ends when all are.
 * Usage: node rate-writer.js <redis url> <commands per second>
 */
export interface Written {
  readonly commands: number;
}

const KEYS = 100_000;
const TICK_MS = 5;
const VALUE = 'x'.repeat(64);

function commandOf(number: number): (string | number)[] {
  // Scattered, and the same in each run.
  const key = Math.imul(number, 2_654_435_761) >>> 0;
  const name = `bench:${key % KEYS}`;
  const kind = number % 10;
  if (kind < 5) return ['SET', name, VALUE];
  if (kind < 7) return ['HSET', `${name}:hash`, key % 20, VALUE];
  if (kind === 7) return ['INCR', `${name}:count`];
  return kind === 8 ? ['PEXPIRE', name, 3_600_000] : ['DEL', name];
}

async function main(url: string, perSecond: number): Promise<void> {
  const redis = new Redis(url);
  let [sent, answered] = [0, 0];
  const pending = new Set<Promise<void>>();
  const started = performance.now();
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - started) * perSecond) / 1_000);
    // One that cannot keep up does not pile up.
    if (pending.size > 50) return;
    const pipeline = redis.pipeline();
    const count = Math.min(due - sent, perSecond);
    if (count <= 0) return;
    for (let i = 0; i < count; i++) pipeline.call(...(commandOf(sent++) as [string, ...(string | number)[]]));
    const done = pipeline.exec().then(() => {
      answered += count;
      pending.delete(done);
    });
    pending.add(done);
  }, TICK_MS);
  const tell = () => process.stdout.write(`${JSON.stringify({ commands: answered } satisfies Written)}\n`);
  process.stdin.on('data', tell);
  process.stdin.on('end', () => {
    clearInterval(timer);
    void Promise.all(pending).then(() => {
      tell();
      redis.disconnect();
    });
  });
  await redis.ping();
}

void main(process.argv[2] ?? '', Number(process.argv[3]));
