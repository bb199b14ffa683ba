import { getApp } from '../../src/app/app';
import { Followers } from '../../src/live/followers';

let followers: Followers | undefined;

/** The sources that this process follows. */
export function getFollowers(): Followers {
  followers ??= new Followers(getApp());
  return followers;
}

export async function stopFollowers(): Promise<void> {
  await followers?.stop();
  followers = undefined;
}
