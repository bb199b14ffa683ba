import type { Command } from '../../redis/redis-port';
import { firstCountOf, nextCount } from './chunk-size';
import { inBudget } from './chunks';
import { KeyGone, TemporaryLost } from './conditions';
import { lookAtElements, type Unordered } from './element-sums';
import { asBytes, asList, asNumber, readSource } from './replies';
import type { Body, BodyContext } from './types';

/** How a type that is walked by a cursor is read and written. */
export interface ScannedType {
  readonly type: Unordered;
  readonly scan: 'SSCAN' | 'HSCAN' | 'ZSCAN';
  readonly length: 'SCARD' | 'HLEN' | 'ZCARD';
  /** How many values of the reply make one element: 1 for a set, 2 for a hash or a sorted set. */
  readonly width: 1 | 2;
  /** The commands that write one page, which must be idempotent; and how many of its fields have expiries of their own. */
  readonly write: (page: Page) => Promise<Written> | Written;
  /** Whether the copy lacks any element of a page that has not expired; absent where elements never do. */
  readonly lacks?: (page: Page) => Promise<boolean>;
  /** Whether expiries of fields are compared when the copy is looked at. */
  readonly comparesExpiries: boolean;
}

interface Written {
  readonly commands: readonly Command[];
  readonly expiring: number;
}

/** What one cursor step gave: the flat values of its elements. */
export type Page = readonly Buffer[];

interface Step {
  readonly page: Page;
  /** Where the walk goes on; null at its end. */
  readonly next: string | null;
}

/**
 * Walks a set, hash or sorted set and writes every page, reading the next meanwhile. A page may hold elements seen before
 * (Redis repeats some while it resizes a table). Looked at again only where one reply did not hold everything.
 */
export async function copyScanned(
  context: BodyContext,
  scanned: ScannedType,
): Promise<Omit<Body, 'losses'> & { readonly expiring: number }> {
  const { temporary } = context;
  const kept = context.kept?.body.kind === 'scanned' ? context.kept.body : undefined;
  let { steps = 0, elements = 0, expiring = 0, next = '0' } = kept ?? {};
  let bytes = context.kept?.bytes ?? 0;
  if (kept !== undefined && expiring === 0) {
    const [number] = await temporary.ask([[scanned.length, temporary.name]]);
    if (asNumber(number) < elements)
      throw new TemporaryLost('the temporary key lacks elements that were written to it');
  }
  const pages = next === null ? none() : readPages(context, scanned, next);
  for await (const step of inBudget(context, pages, sizeOf)) {
    steps++;
    next = step.next;
    if (step.page.length > 0) {
      const written = await scanned.write(step.page);
      expiring += written.expiring;
      if (written.commands.length > 0) {
        const replies = await temporary.write([...written.commands, [scanned.length, temporary.name]]);
        elements = asNumber(replies.at(-1));
      }
    }
    bytes += sizeOf(step);
    if (elements > 0) context.reached({ kind: 'scanned', next, steps, elements, expiring }, bytes);
    else context.step();
  }
  if (elements === 0) throw new KeyGone('the key has no elements');
  const place = { kind: 'scanned', next: null, steps, elements, expiring } as const;
  const look = () =>
    lookAtElements(
      context,
      scanned.type,
      scanned.comparesExpiries && expiring > 0,
      kept?.look,
      (sums) => {
        context.reached({ ...place, look: sums }, bytes);
      },
      () => mustBeWhole(context, scanned),
    );
  // One reply that held everything shows the key at one moment.
  return { bytes, expiring, check: () => (steps === 1 && kept === undefined ? Promise.resolve('same') : look()) };
}

/** A target that failed over may have lost what was written last. @throws TemporaryLost */
async function mustBeWhole(context: BodyContext, scanned: ScannedType): Promise<void> {
  const { source, sourceKey, temporary } = context;
  const [here] = await readSource(source, [[scanned.length, sourceKey]]);
  const [there] = await temporary.ask([[scanned.length, temporary.name]]);
  if (asNumber(here) === asNumber(there)) return;
  const lost = () => new TemporaryLost('the temporary key lacks elements that were written to it');
  if (scanned.lacks === undefined) throw lost();
  for await (const { page } of inBudget(context, readPages(context, scanned, '0'), sizeOf)) {
    context.step();
    await temporary.keep();
    if (await scanned.lacks(page)) throw lost();
  }
}

async function* none(): AsyncGenerator<Step, void, undefined> {
  // There is nothing left to be read.
}

async function* readPages(
  context: BodyContext,
  type: ScannedType,
  from: string,
): AsyncGenerator<Step, void, undefined> {
  const { source, sourceKey, options } = context;
  let count = firstCountOf(context);
  for (let cursor = from; ;) {
    const command: Command = [type.scan, sourceKey, cursor, 'COUNT', String(count)];
    const [reply] = await readSource(source, [command]);
    const [next, values] = asList(reply);
    cursor = asBytes(next).toString('latin1');
    const step = { page: asList(values).map(asBytes), next: cursor === '0' ? null : cursor };
    count = nextCount(count, step.page.length / type.width, sizeOf(step), options.chunkBytes);
    yield step;
    if (step.next === null) return;
  }
}

function sizeOf({ page }: Step): number {
  return page.reduce((sum, value) => sum + value.length, 0);
}
