import { portions } from './chunk-size';
import { lookAtElements } from './element-sums';
import { copyScanned } from './scan';
import type { Body, BodyContext } from './types';

/** Copies a set by SSCAN and SADD. */
export async function copySet(context: BodyContext): Promise<Body> {
  const { temporary } = context;
  const body = await copyScanned(
    context,
    { scan: 'SSCAN', length: 'SCARD', width: 1 },
    async (members) => {
      await temporary.write(portions(members).map((part) => ['SADD', temporary.name, ...part] as const));
    },
    () => lookAtElements(context, 'set', false),
  );
  return { ...body, losses: [] };
}
