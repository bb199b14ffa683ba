import { v4KeyNames, v5KeyNames, type SessionKey } from './keys';

/** All names of one session, made once. */
export interface SessionNames {
  readonly data: Buffer;
  readonly internal: Buffer;
  readonly lock: Buffer;
  /** Of the session with braces, which goes before one of the same id without; undefined for that one itself. */
  readonly rival: Buffer | undefined;
  readonly newData: Buffer;
  readonly newTimeout: Buffer;
}

export function sessionNames({ appId, braced }: SessionKey): SessionNames {
  const old = v4KeyNames(appId, braced);
  const fresh = v5KeyNames(appId);
  return {
    data: old.data,
    internal: old.internal,
    lock: old.lock,
    rival: braced ? undefined : v4KeyNames(appId).data,
    newData: fresh.data,
    newTimeout: fresh.timeout,
  };
}
