import type { ConvertSource } from '../file-keys';
import type { ConvertContext, Converter, Gathered, Group, GroupOutcome } from '../converter';
import { belongsToApplications, classifySessionKey, v4KeyName, v4KeyNames, v5KeyNames, type SessionKey } from './keys';
import { sessionNames, type SessionNames } from './session-names';
import { leavesNewer, READ_AHEAD_BYTES, type SessionOptions, type SessionServers } from './session-options';
import { NotedSessionKeys } from './file-sessions';
import { isStored, type SessionMember } from './session-store';
import { sessionsIn } from './sessions-in';
import { writeSessions, type SessionGroup } from './write-sessions';

/** ASP.NET sessions of RedisSessionStateProvider 1–4 become those of version 5. */
export class SessionConverter implements Converter {
  readonly name = 'aspnet-session-v5';
  readonly noted: NotedSessionKeys;

  constructor(
    private readonly options: SessionOptions,
    private readonly servers: SessionServers,
  ) {
    this.noted = new NotedSessionKeys(options);
  }

  claims(key: Buffer): boolean {
    return this.sessionKey(key) !== undefined;
  }

  nameAfter(key: Buffer): Buffer | undefined {
    const session = this.sessionKey(key);
    return session !== undefined && leads(session) ? v5KeyNames(session.appId).data : undefined;
  }

  namesBefore(key: Buffer): readonly Buffer[] {
    const session = classifySessionKey(key);
    if (session?.version !== 5) return [];
    const { appId } = session;
    return [v4KeyName(appId, true, 'data'), ...(this.options.braceless ? [v4KeyName(appId, false, 'data')] : [])];
  }

  family(key: Buffer): readonly Buffer[] | undefined {
    const { braceless, applications } = this.options;
    const session = classifySessionKey(key, { braceless });
    if (session === undefined) return undefined;
    const { appId } = session;
    if (applications.length > 0 && !belongsToApplications(appId, applications)) return undefined;
    const old = [true, ...(braceless ? [false] : [])].map((braced) => v4KeyNames(appId, braced));
    return [v5KeyNames(appId), ...old].flatMap((names) => Object.values<Buffer>({ ...names }));
  }

  namesMade(group: Group): readonly Buffer[] {
    const { names } = group as SessionGroup;
    return [names.newData, names.newTimeout];
  }

  bytesOf(group: Group): number {
    const { state } = group as SessionGroup;
    return isStored(state) ? state.packed.length : 0;
  }

  async gather(source: ConvertSource, keys: readonly Buffer[]): Promise<Gathered> {
    const leaders: SessionNames[] = [];
    const members: SessionMember[] = [];
    for (const name of keys) {
      const key = this.sessionKey(name);
      if (key === undefined) continue;
      // Of a file's keys the very names are asked for.
      if (leads(key)) leaders.push({ ...sessionNames(key), data: name });
      else members.push({ name, key });
    }
    const store = sessionsIn(source, this.servers);
    const [states, memberStates] = await Promise.all([
      store.gather(leaders, READ_AHEAD_BYTES, leavesNewer(this.options, this.servers)),
      store.members(members),
    ]);
    const groups: SessionGroup[] = [];
    const plain: Buffer[] = [];
    const sums = { converted: 0, skipped: 0, conflicts: 0, gone: 0, bytes: 0 };
    states.forEach((state, i) => {
      const leader = leaders[i];
      if (leader === undefined) return;
      if (state === 'gone') sums.gone++;
      else if (state === 'newer') sums.conflicts++;
      else if (state === 'plain') plain.push(leader.data);
      else {
        const group: SessionGroup = { names: leader, state };
        groups.push(group);
        sums.bytes += this.bytesOf(group);
      }
    });
    memberStates.forEach((state, i) => {
      const name = members[i]?.name;
      if (name === undefined) return;
      if (state === 'member') sums.converted++;
      else if (state === 'alone') sums.skipped++;
      else if (state === 'gone') sums.gone++;
      else plain.push(name);
    });
    if (!this.servers.inPlace) return { groups, plain, ...sums };
    // In place somebody else's keys are where they belong: to copy one onto itself could only undo a change.
    return { groups, plain: [], ...sums, skipped: sums.skipped + plain.length };
  }

  write(groups: readonly Group[], context: ConvertContext): Promise<readonly GroupOutcome[]> {
    return writeSessions(groups as readonly SessionGroup[], this.options, this.servers, context);
  }

  /** Version 5's keys are claimed only where they must give way to what is made of version 4's. */
  private sessionKey(name: Buffer): SessionKey | undefined {
    const { braceless, force, applications } = this.options;
    const key = classifySessionKey(name, { braceless });
    if (key === undefined || (key.version === 5 && (!force || this.servers.inPlace))) return undefined;
    return applications.length === 0 || belongsToApplications(key.appId, applications) ? key : undefined;
  }
}

function leads({ version, role }: SessionKey): boolean {
  return version === 4 && role === 'data';
}
