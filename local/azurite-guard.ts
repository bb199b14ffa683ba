/**
 * Loaded into Azurite's own process: ends it in an orderly way, its data written, once the process that started it is gone (also
 * by kill -9) and no other host has taken the folder over. Needs nothing but Node's own modules, since it runs as it is.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';

/** So long the next host may come: it goes on at once with what is there. */
const GRACE_MS = 15_000;
const LOOK_MS = 1_000;

/** host.lock of the folder, as folder-lock.ts writes it; not there where no host works on it. */
const lock = process.env.KEYFERRY_HOST_LOCK ?? '';
/** Says to the next host that this Azurite ends. Written before it is looked for one, which has the lock before it looks here. */
const ending = process.env.KEYFERRY_AZURITE_ENDING ?? '';

function hasHost(): boolean {
  try {
    const { pid } = JSON.parse(readFileSync(lock, 'utf8')) as { pid: number };
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

process.once('disconnect', () => {
  let since = Date.now();
  setInterval(() => {
    if (hasHost()) since = Date.now();
    if (Date.now() - since < GRACE_MS) return;
    writeFileSync(ending, '');
    if (hasHost()) rmSync(ending, { force: true });
    else process.kill(process.pid, 'SIGTERM');
  }, LOOK_MS);
});
// It must not keep a process alive that has ended all else; to be said after the listener, which holds the channel.
process.channel?.unref();
