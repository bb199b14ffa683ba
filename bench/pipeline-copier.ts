/**
 * The yardstick: what one would write in an hour. SCAN, a pipeline of PTTL and DUMP, a pipeline of RESTORE, one page after
 * the other, with ioredis as it comes. No resuming, no counts, no exact expiry.
 * Usage: node pipeline-copier.js SOURCE_URL TARGET_URL
 */
import { Redis } from 'ioredis';

const COUNT = 500;

async function main(): Promise<void> {
  const [sourceUrl = '', targetUrl = ''] = process.argv.slice(2);
  const source = new Redis(sourceUrl);
  const target = new Redis(targetUrl);
  let cursor = '0';
  let keys = 0;
  do {
    const [next, names] = await source.scanBuffer(cursor, 'COUNT', COUNT);
    cursor = next.toString();
    const reading = source.pipeline();
    for (const name of names) reading.pttl(name).dumpBuffer(name);
    const values = (await reading.exec()) ?? [];
    const writing = target.pipeline();
    names.forEach((name, i) => {
      const ttl = Number(values[2 * i]?.[1]);
      const payload = values[2 * i + 1]?.[1];
      if (Buffer.isBuffer(payload)) writing.restore(name, Math.max(0, ttl), payload, 'REPLACE');
    });
    await writing.exec();
    keys += names.length;
  } while (cursor !== '0');
  console.log(keys);
  source.disconnect();
  target.disconnect();
}

void main();
