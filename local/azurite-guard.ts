/**
 * Loaded into Azurite's own process, before it: lets it start without what it does not use, and ends it in an orderly way, its
 * data written, once the process that started it is gone (also by kill -9) and no other host has taken the folder over. Needs
 * nothing but Node's own modules, since it runs as it is.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import Module from 'node:module';

/** To load these takes Azurite two thirds of its start: what it would tell Microsoft with, and what keeps blobs in a database. */
const unused = new Set(['applicationinsights', ...(process.env.AZURITE_DB === undefined ? ['sequelize'] : [])]);
/** Each of its properties can be extended as a class can. */
const nothing: object = new Proxy(Object, { get: (all, name) => (name === 'prototype' ? all.prototype : nothing) });
const loader = Module as unknown as { _load: (this: unknown, name: string, ...others: unknown[]) => unknown };
const load = loader._load;
loader._load = function (name, ...others) {
  return unused.has(name) ? nothing : load.call(this, name, ...others);
};

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
