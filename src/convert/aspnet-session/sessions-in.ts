import type { ConvertSource } from '../file-keys';
import { FileSessions } from './file-sessions';
import { limitsOn, type SessionServers } from './session-options';
import { SessionStore, type SessionReader } from './session-store';

/** The sessions of whatever is converted from. */
export function sessionsIn(source: ConvertSource, servers: SessionServers): SessionReader {
  return source.kind === 'file'
    ? new FileSessions(source)
    : new SessionStore(source.port, servers.sourceAtOnce, limitsOn(servers));
}
