/**
 * The yardstick: what one would write in an hour. SCAN, a pipeline of PTTL and DUMP, a pipeline of RESTORE, one page after
 * the other, with ioredis as it comes. No resuming, no counts, no exact expiry.
 * Usage: node pipeline-copier.js SOURCE_URL TARGET_URL
 */
import { Redis } from 'ioredis';
import { readPages, writePage } from './read-pages';

async function main(): Promise<void> {
  const [sourceUrl = '', targetUrl = ''] = process.argv.slice(2);
  const source = new Redis(sourceUrl);
  const target = new Redis(targetUrl);
  let keys = 0;
  for await (const page of readPages(source)) {
    await writePage(target, page.entries);
    keys += page.keys;
  }
  console.log(keys);
  source.disconnect();
  target.disconnect();
}

void main();
