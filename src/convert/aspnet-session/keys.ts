/** What a session key holds. */
export type SessionKeyRole = 'data' | 'internal' | 'lock' | 'timeout';

/** A key name of the session state provider, taken apart. */
export interface SessionKey {
  /** 4 for versions 1 to 4, which share their layout; 5 for version 5. */
  readonly version: 4 | 5;
  readonly role: SessionKeyRole;
  /** False for the names without braces of 1.x, whose keys may lie in different slots. */
  readonly braced: boolean;
  /** Application name, underscore, session id (a view of the key's bytes). Cannot be taken apart for certain. */
  readonly appId: Buffer;
}

interface Suffix {
  readonly text: Buffer;
  readonly version: 4 | 5;
  readonly role: SessionKeyRole;
}

const suffix = (text: string, version: 4 | 5, role: SessionKeyRole): Suffix => ({
  text: Buffer.from(text, 'latin1'),
  version,
  role,
});

const V4_SUFFIXES = [suffix('_Data', 4, 'data'), suffix('_Internal', 4, 'internal'), suffix('_Write_Lock', 4, 'lock')];
const V5_SUFFIXES = [
  suffix('_SessionStateItemCollection', 5, 'data'),
  suffix('_SessionTimeout', 5, 'timeout'),
  suffix('_WriteLock', 5, 'lock'),
];
type Endings = readonly [Buffer, Buffer, Buffer];
const V4_TEXTS = V4_SUFFIXES.map(({ text }) => text) as unknown as Endings;
const V5_TEXTS = V5_SUFFIXES.map(({ text }) => text) as unknown as Endings;
const ALL_SUFFIXES = [...V4_SUFFIXES, ...V5_SUFFIXES];

const OPEN = 0x7b;
const CLOSE = 0x7d;
const UNDERSCORE = 0x5f;

/**
 * Says which session key a name is, or undefined. Claimed are `{app_id}` with one of the six endings, and, where
 * `braceless` is asked for, the names of 1.x without braces. An app id has an underscore with something on both sides
 * (it is the application's name, `_`, the session id); other names are none of ours.
 */
export function classifySessionKey(
  key: Buffer,
  options: { readonly braceless?: boolean } = {},
): SessionKey | undefined {
  const last = key[key.length - 1];
  // _Data, _Internal, …Lock, …Collection, …Timeout: most keys of other sorts end here.
  if (last !== 0x61 && last !== 0x6c && last !== 0x6b && last !== 0x6e && last !== 0x74) return undefined;
  const braced = key[0] === OPEN;
  for (const { text, version, role } of ALL_SUFFIXES) {
    const end = key.length - text.length;
    if (!endsWith(key, text)) continue;
    if (braced && key[end - 1] === CLOSE) {
      const appId = key.subarray(1, end - 1);
      if (isAppId(appId)) return { version, role, braced: true, appId };
    } else if (options.braceless === true && version === 4) {
      const appId = key.subarray(0, end);
      if (isAppId(appId)) return { version, role, braced: false, appId };
    }
  }
  return undefined;
}

/** The names of a session's three keys in version 4 (`internal`, no `timeout`) or without braces as in 1.x. */
export function v4KeyNames(appId: Buffer, braced = true): { data: Buffer; internal: Buffer; lock: Buffer } {
  const [data, internal, lock] = names(appId, braced, V4_TEXTS);
  return { data, internal, lock };
}

/** The names of a session's three keys in version 5; they share a slot with each other and with braced version 4 keys. */
export function v5KeyNames(appId: Buffer): { data: Buffer; timeout: Buffer; lock: Buffer } {
  const [data, timeout, lock] = names(appId, true, V5_TEXTS);
  return { data, timeout, lock };
}

/**
 * Whether a session belongs to one of the applications, by the start `applicationName_`. Application names may
 * themselves hold underscores, so `/Shop` also takes in the sessions of an application `/Shop_Admin`.
 */
export function belongsToApplications(appId: Buffer, applications: readonly string[]): boolean {
  return applications.some((application) => {
    const prefix = Buffer.from(`${application}_`, 'utf8');
    return appId.length > prefix.length && appId.compare(prefix, 0, prefix.length, 0, prefix.length) === 0;
  });
}

/** The name of one of a session's keys in version 4. */
export function v4KeyName(appId: Buffer, braced: boolean, role: 'data' | 'internal'): Buffer {
  const ending = V4_TEXTS[role === 'data' ? 0 : 1];
  const name = Buffer.allocUnsafe(appId.length + (braced ? 2 : 0) + ending.length);
  let at = 0;
  if (braced) name[at++] = OPEN;
  at += appId.copy(name, at);
  if (braced) name[at++] = CLOSE;
  ending.copy(name, at);
  return name;
}

/** Names with these endings, as parts of one piece of memory: they are made for every session several times. */
function names(appId: Buffer, braced: boolean, endings: Endings): [Buffer, Buffer, Buffer] {
  const braces = braced ? 2 : 0;
  const [first, second, third] = endings;
  const all = Buffer.allocUnsafe(3 * (appId.length + braces) + first.length + second.length + third.length);
  let at = 0;
  const name = (ending: Buffer): Buffer => {
    const start = at;
    if (braced) all[at++] = OPEN;
    at += appId.copy(all, at);
    if (braced) all[at++] = CLOSE;
    at += ending.copy(all, at);
    return all.subarray(start, at);
  };
  return [name(first), name(second), name(third)];
}

function endsWith(key: Buffer, text: Buffer): boolean {
  let at = key.length - text.length;
  if (at < 0) return false;
  for (const byte of text) if (key[at++] !== byte) return false;
  return true;
}

function isAppId(appId: Buffer): boolean {
  const at = appId.indexOf(UNDERSCORE, 1);
  return at !== -1 && at < appId.length - 1;
}
