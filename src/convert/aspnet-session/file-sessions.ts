import { hashIn, stringIn } from '../file-values';
import type { FileKeys, NotedKeys } from '../file-keys';
import { DEFAULT_SESSION_LIMITS } from './convert-session';
import { classifySessionKey, v4KeyName, type SessionKey } from './keys';
import { hasStreamHeader } from './nrbf/records';
import { packFields } from './packed-fields';
import type { SessionNames } from './session-names';
import { MOST_SESSION_BYTES, type SessionOptions } from './session-options';
import type { SessionMember, SessionReader, SessionState } from './session-store';

/*
 * What is noted of the keys of sessions. Of an internal hash that is version 4's own its timeout in seconds, as far as that is one; the
 * others have the highest bit.
 */
const FLAG = 0x8000_0000;
const OTHER = FLAG;
/** An internal hash with a timeout that is no number of seconds: of digits only, or not. */
const OWN_OF_DIGITS = FLAG + 1;
const OWN_OF_TEXT = FLAG + 2;
/** A session's data: a hash, with a value of BinaryFormatter or without. */
const HASH = FLAG + 3;
const HASH_OF_STREAMS = FLAG + 4;
/** A string that is a time as locks are. */
const LOCK = FLAG + 5;

/** Version 5 takes no others; see convert-session.ts. */
const SECONDS = /^[1-9]\d{0,9}$/;

/** What sessions of a file must be known by beside their data. */
export class NotedSessionKeys implements NotedKeys {
  readonly id: string;

  constructor(private readonly options: Pick<SessionOptions, 'braceless'>) {
    this.id = `aspnet-session ${options.braceless}`;
  }

  concerns(key: Buffer): boolean {
    return classifySessionKey(key, this.options) !== undefined;
  }

  note(key: Buffer, type: string, payload: Buffer | undefined): number {
    const { role, version } = classifySessionKey(key, this.options) ?? {};
    if (version !== 4) return OTHER;
    // What a field that expires holds is nothing of version 4.
    const fields = payload === undefined ? undefined : hashIn(payload, 0);
    switch (role) {
      case 'data':
        if (type !== 'hash') return OTHER;
        // One that is too large to be looked into is taken for a session's.
        if (payload === undefined) return HASH_OF_STREAMS;
        return fields?.some((value, i) => i % 2 === 1 && isStream(value)) === true ? HASH_OF_STREAMS : HASH;
      case 'internal':
        return fields?.length === 2 && fields[0]?.toString('latin1') === 'SessionTimeout'
          ? noteOfTimeout(fields[1])
          : OTHER;
      default:
        return payload !== undefined && /^\d{18}$/.test(stringIn(payload)?.toString('latin1') ?? '') ? LOCK : OTHER;
    }
  }
}

function noteOfTimeout(text: Buffer | undefined): number {
  const shown = text?.toString('latin1') ?? '';
  if (SECONDS.test(shown) && Number(shown) < FLAG) return Number(shown);
  return /^\d+$/.test(shown) ? OWN_OF_DIGITS : OWN_OF_TEXT;
}

function isStream(value: Buffer): boolean {
  return hasStreamHeader(value, 0, value.length);
}

function isOwn(internal: number | undefined): boolean {
  return internal !== undefined && (internal < FLAG || internal === OWN_OF_DIGITS || internal === OWN_OF_TEXT);
}

/**
 * The sessions of a file, as session-gather.lua and session-members.lua tell those of a server. A lock says nothing there: whoever held it
 * when the file was written can write into it no more.
 */
export class FileSessions implements SessionReader {
  constructor(private readonly file: FileKeys) {}

  async gather(sessions: readonly SessionNames[], bytes: number, leaveNewer: boolean): Promise<SessionState[]> {
    const internals = await this.file.notes(sessions.map(({ internal }) => internal));
    const newer = leaveNewer ? await this.file.notes(sessions.map(({ newData }) => newData)) : [];
    const rivals = await this.file.notes(sessions.map(({ rival, data }) => rival ?? data));
    const states: SessionState[] = [];
    let left = bytes;
    for (const [i, session] of sessions.entries()) {
      const goesBefore = newer[i] !== undefined || (session.rival !== undefined && isHash(rivals[i]));
      const state = left <= 0 && !goesBefore ? 'later' : await this.stateOf(session, internals[i], goesBefore);
      if (typeof state === 'object' && 'packed' in state) left -= state.packed.length;
      states.push(state);
    }
    return states;
  }

  async members(members: readonly SessionMember[]): Promise<string[]> {
    const own = await this.file.notes(members.map(({ name }) => name));
    const keyOf = ({ key: { appId, braced } }: SessionMember, role: 'data' | 'internal') =>
      v4KeyName(appId, braced, role);
    const data = await this.file.notes(members.map((member) => keyOf(member, 'data')));
    const internals = await this.file.notes(members.map((member) => keyOf(member, 'internal')));
    return members.map(({ key }, i) => memberState(key, own[i], data[i], internals[i]));
  }

  areSame(sessions: readonly unknown[]): Promise<boolean[]> {
    return Promise.resolve(sessions.map(() => true));
  }

  private async stateOf(
    { data }: SessionNames,
    internal: number | undefined,
    goesBefore: boolean,
  ): Promise<SessionState> {
    const [found] = await this.file.read([data], MOST_SESSION_BYTES);
    if (found === undefined) return 'gone';
    if (!Buffer.isBuffer(found.payload)) return isOwn(internal) ? 'large' : 'plain';
    const readAt = this.file.now();
    const fields = hashIn(found.payload, readAt);
    if (fields === undefined) return 'plain';
    if (fields.length === 0) return 'gone';
    const isSession =
      isOwn(internal) || (internal === undefined && fields.some((value, i) => i % 2 === 1 && isStream(value)));
    if (!isSession) return 'plain';
    if (fields.length > 2 * DEFAULT_SESSION_LIMITS.items) return 'large';
    if (goesBefore) return 'newer';
    return {
      packed: packFields(fields),
      sessionTimeoutText: internal === undefined ? undefined : timeoutText(internal),
      expiry: found.expiry,
      locked: false,
      readAt,
    };
  }
}

function timeoutText(internal: number): Buffer {
  return Buffer.from(internal < FLAG ? String(internal) : 'another text');
}

function isHash(data: number | undefined): boolean {
  return data === HASH || data === HASH_OF_STREAMS;
}

function memberState(
  { role, version }: SessionKey,
  own: number | undefined,
  data: number | undefined,
  internal: number | undefined,
): string {
  if (own === undefined) return 'gone';
  if (version === 4 && role === 'internal') {
    if (!isOwn(own)) return 'plain';
    if (data === undefined) return own === OWN_OF_TEXT ? 'plain' : 'alone';
    return isHash(data) ? 'member' : 'plain';
  }
  const session = dataKind(data, internal);
  if (version === 5) return session === 'session' ? 'alone' : 'plain';
  return own === LOCK && session !== 'plain' ? 'alone' : 'plain';
}

/** With an internal hash a hash is a session; without, its values tell. */
function dataKind(data: number | undefined, internal: number | undefined): 'session' | 'plain' | 'gone' {
  if (data === undefined) return 'gone';
  if (!isHash(data)) return 'plain';
  if (isOwn(internal)) return 'session';
  return internal === undefined && data === HASH_OF_STREAMS ? 'session' : 'plain';
}
