import { NO_SERVERS, type ConverterKind, type Surroundings } from '../converter-kind';
import { scriptRefusal } from '../script-rights';
import { aboutAspNetSessions } from './about';
import { countAllSessions, sessionCounter } from './count-sessions';
import { scripts } from './scripts';
import { SessionConverter } from './session-converter';
import { sessionOptions, type SessionOptions } from './session-options';

/** Sessions that one script reads, or writes, where the server lets a script touch any keys: about 2 ms for ordinary ones. */
const READ_AT_ONCE = 64;
const WRITTEN_AT_ONCE = 128;

/** Names of one slot, which nobody has. */
const PROBES = ['{keyferry:probe_1}_Data', '{keyferry:probe_1}_Internal'].map((name) => Buffer.from(name));

function converterFor(options: SessionOptions, surroundings: Surroundings): SessionConverter {
  const { inPlace, follows, source, target } = surroundings;
  return new SessionConverter(options, {
    inPlace,
    follows,
    sourceAtOnce: source.scripts ? READ_AT_ONCE : 1,
    targetAtOnce: target.scripts ? WRITTEN_AT_ONCE : 1,
    memoryUsage: source.memoryUsage,
  });
}

export const aspNetSessions: ConverterKind<SessionOptions> & { readonly options: typeof sessionOptions } = {
  name: aboutAspNetSessions.name,
  options: sessionOptions,
  formerField: 'sessions',

  rights: {
    source: ['SCAN', 'TIME', 'TYPE', 'EXISTS', 'PTTL', 'HLEN', 'HGETALL', 'HGET', 'HSCAN', 'STRLEN', 'GET'],
    target: ['TIME', 'TYPE', 'EXISTS', 'PTTL', 'GET', 'SET', 'PEXPIREAT', 'DEL'],
  },

  scriptRefusal: (port, side, named) =>
    scriptRefusal(port, side === 'source' ? scripts.tryReads : scripts.tryWrites, PROBES.map(named)),

  async prepare(options, context) {
    const converter = converterFor(options, NO_SERVERS);
    return { ...(await countAllSessions(converter, options.braceless, context)) };
  },

  counter: (options, wants, state) => {
    const converter = converterFor(options, NO_SERVERS);
    return sessionCounter({ claims: (key) => converter.claims(key) }, wants, state);
  },

  make: converterFor,

  warnings: ({ keepOld }, { inPlace, compares }) => [
    ...(compares ? ['Converted sessions are only looked for on the target; what they hold is not compared.'] : []),
    ...(inPlace || keepOld
      ? []
      : ['"keepOld": false is for a conversion in place; keys of the source are never deleted.']),
  ],
};
