import { portions } from './chunk-size';
import { copyScanned } from './scan';
import type { Body, BodyContext } from './types';

/**
 * Copies a sorted set by ZSCAN and ZADD. Scores pass as the text the source gives, which has 17 significant digits (or `inf`), so
 * the target reads back the same double.
 */
export async function copySortedSet(context: BodyContext): Promise<Body> {
  const { name } = context.temporary;
  const body = await copyScanned(context, {
    ...({ type: 'zset', scan: 'ZSCAN', length: 'ZCARD', width: 2 } as const),
    write: (values) => ({
      commands: portions(scoresFirst(values)).map((part) => ['ZADD', name, ...part.flat()] as const),
      expiring: 0,
    }),
    comparesExpiries: false,
  });
  return { ...body, losses: [] };
}

/** From ZSCAN's member, score, … to ZADD's score and member in pairs. */
function scoresFirst(values: readonly Buffer[]): [score: Buffer, member: Buffer][] {
  const pairs: [Buffer, Buffer][] = [];
  for (let at = 0; at + 1 < values.length; at += 2) {
    const [member, score] = values.slice(at, at + 2) as [Buffer, Buffer];
    pairs.push([score, member]);
  }
  return pairs;
}
