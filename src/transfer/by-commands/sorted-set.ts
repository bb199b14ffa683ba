import { portions } from './chunk-size';
import { lookAtElements } from './element-sums';
import { copyScanned } from './scan';
import type { Body, BodyContext } from './types';

/**
 * Copies a sorted set by ZSCAN and ZADD. Scores pass as the text the source gives, which has 17 significant digits (or `inf`), so
 * the target reads back the same double.
 */
export async function copySortedSet(context: BodyContext): Promise<Body> {
  const { temporary } = context;
  const body = await copyScanned(
    context,
    { scan: 'ZSCAN', length: 'ZCARD', width: 2 },
    async (values) => {
      const elements = scoresFirst(values);
      await temporary.write(portions(elements).map((part) => ['ZADD', temporary.name, ...part.flat()] as const));
    },
    () => lookAtElements(context, 'zset', false),
  );
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
