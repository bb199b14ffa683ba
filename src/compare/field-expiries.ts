import type { Command, RedisPort } from '../redis/redis-port';
import { asBytes, asList, asNumber, throwErrors } from '../transfer/by-commands/replies';

const PARTS = 500;

/** Expiries of a hash's fields: fields as latin1 text, absolute times in ms of the server's clock. Empty where servers know none. */
export async function fieldExpiries(port: RedisPort, key: Buffer): Promise<Map<string, number>> {
  const [known] = await port.pipeline([['HPEXPIRETIME', key, 'FIELDS', '1', '']]);
  if (known instanceof Error && known.kind === 'unknownCommand') return new Map();
  // Servers that know expiries of fields know NOVALUES.
  const found = new Map<string, number>();
  let cursor = '0';
  do {
    const [next, reply] = asList(await port.call('HSCAN', key, cursor, 'COUNT', String(PARTS), 'NOVALUES'));
    cursor = String(next);
    const names = asList(reply).map(asBytes);
    if (names.length === 0) continue;
    const question: Command = ['HPEXPIRETIME', key, 'FIELDS', String(names.length), ...names];
    const [times] = throwErrors(await port.pipeline([question]));
    asList(times).forEach((time, i) => {
      if (asNumber(time) > 0) found.set(names[i]?.toString('latin1') ?? '', asNumber(time));
    });
  } while (cursor !== '0');
  return found;
}

/** How many fields expire on one side only, or at another time. */
export function differingFields(
  source: ReadonlyMap<string, number>,
  target: ReadonlyMap<string, number>,
  agree: (source: number, target: number) => boolean,
): number {
  const names = new Set([...source.keys(), ...target.keys()]);
  return [...names].filter((name) => {
    const [here, there] = [source.get(name), target.get(name)];
    return here === undefined || there === undefined || !agree(here, there);
  }).length;
}
