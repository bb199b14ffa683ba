import { getApp } from '../../src/app/app';
import { Followers } from '../../src/live/followers';
import { tendMigration } from '../../src/tally/tend';

/** Phases that wait for one thing follow each other at once. */
const MOST_PHASES = 4;

async function tendNow(id: string): Promise<void> {
  for (let phases = 0; phases < MOST_PHASES; phases++) {
    const visit = await tendMigration(id, getApp());
    if (!visit?.due) return;
  }
}

let followers: Followers | undefined;

/** The sources that this process follows. */
export function getFollowers(): Followers {
  followers ??= new Followers(getApp(), tendNow);
  return followers;
}

export async function stopFollowers(): Promise<void> {
  await followers?.stop();
  followers = undefined;
}
