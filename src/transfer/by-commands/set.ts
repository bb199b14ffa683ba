import { portions } from './chunk-size';
import { copyScanned } from './scan';
import type { Body, BodyContext } from './types';

/** Copies a set by SSCAN and SADD. */
export async function copySet(context: BodyContext): Promise<Body> {
  const { name } = context.temporary;
  const body = await copyScanned(context, {
    ...({ type: 'set', scan: 'SSCAN', length: 'SCARD', width: 1 } as const),
    write: (members) => ({ commands: portions(members).map((part) => ['SADD', name, ...part] as const), expiring: 0 }),
    comparesExpiries: false,
  });
  return { ...body, losses: [] };
}
