import { getApp } from '../../src/app/app';
import { Keeper } from '../../src/tally/keeper';

let keeper: Keeper | undefined;

/** What looks after the open migrations in this process. */
export function getKeeper(): Keeper {
  keeper ??= new Keeper(getApp());
  return keeper;
}

export async function stopKeeper(): Promise<void> {
  await keeper?.stop();
  keeper = undefined;
}
