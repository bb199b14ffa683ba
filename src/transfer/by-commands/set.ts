import { portions } from './chunk-size';
import { copyScanned } from './scan';
import type { Body, BodyContext } from './types';

/** Copies a set by SSCAN and SADD. Members that were there all the time are all copied. */
export async function copySet(context: BodyContext): Promise<Body> {
  const { temporary } = context;
  const body = await copyScanned(context, { scan: 'SSCAN', length: 'SCARD', width: 1 }, async (members, first) => {
    await temporary.write(portions(members, first).map((part) => ['SADD', temporary.name, ...part] as const));
  });
  return { ...body, losses: [] };
}
