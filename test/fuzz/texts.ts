import { readAppSettings } from '../../src/app/app-settings';
import { readStoreSettings } from '../../src/files/store-settings';
import type { Reply } from '../../src/redis/redis-port';
import { changingCalls } from '../../src/redis/command-calls';
import { addressOf, readConnectionSettings } from '../../src/redis/connection-settings';
import { replyError } from '../../src/redis/errors';
import { hasKeyspace, infoField, infoNumber, parseKeyspace } from '../../src/redis/info';
import { parseModules } from '../../src/redis/loaded-modules';
import { parseTopology } from '../../src/redis/topology';
import { nextDues } from '../../src/schedule/due';
import { cronSchema } from '../../src/schedule/when';
import { readTelemetrySettings } from '../../src/telemetry/telemetry-settings';
import { parseEndpoint } from '../../cli/client/endpoint';
import { parseAmount, parseCount, parseDatabases, parseList } from '../../cli/option-values';
import { changeDocument } from './change-document';
import { changeText } from './change-text';
import { edge, SECRET, type Edge } from './edge';

const change = (sample: string, _other: string, dice: Parameters<typeof changeText>[1]) => changeText(sample, dice);

const info = [
  '# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nrun_id:5a9d\r\nuptime_in_seconds:12\r\n',
  '# Memory\r\nused_memory:1000\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n',
  '# Commandstats\r\ncmdstat_set:calls=10,usec=1,usec_per_call=1.0,rejected_calls=0,failed_calls=0\r\n',
  '# Modules\r\nmodule:name=ReJSON,ver=20000,api=1,filters=0,usedby=[],using=[],options=[]\r\n',
  '# Keyspace\r\ndb0:keys=5,expires=1,avg_ttl=3,subexpiry=0\r\ndb15:keys=1,expires=0\r\n',
].join('');

const connections = [
  `redis://:${SECRET}@cache.example.net:6379/3`,
  `rediss://user:${SECRET}@[::1]:10000`,
  `cache.redis.cache.windows.net:6380,password=${SECRET},ssl=True,abortConnect=False,syncTimeout=5000,defaultDatabase=2`,
  '127.0.0.1:6379',
];

const stores = [
  'https://account.blob.core.windows.net/backups',
  `DefaultEndpointsProtocol=https;AccountName=a;AccountKey=${SECRET};EndpointSuffix=core.windows.net;container=backups`,
  'file:///var/backups',
];

const settings = {
  KEYFERRY_RANGE_SECONDS: '60',
  KEYFERRY_CHECKPOINT_SECONDS: '2',
  KEYFERRY_SILENCE_SECONDS: '15',
  KEYFERRY_STALL_SECONDS: '300',
  KEYFERRY_PAGE_MILLISECONDS: '2.5',
  KEYFERRY_BIG_KEY_MIB: '1',
  KEYFERRY_MEMORY_MIB: '64',
  KEYFERRY_FINDING_KEYS: 'hash',
  APPLICATIONINSIGHTS_CONNECTION_STRING: 'InstrumentationKey=x;IngestionEndpoint=https://y/',
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=z;Authorization=AAD',
};

const slots: Reply = [
  [0, 8191, [Buffer.from('10.0.0.1'), 6379, Buffer.from('id1')], [Buffer.from('10.0.0.2'), 6379, Buffer.from('id2')]],
  [8192, 16_383, [Buffer.from(''), 6380, Buffer.from('id3'), []], [null, 6381, Buffer.from('id4')]],
];

const replies = [
  'MOVED 3999 127.0.0.1:6381',
  'ASK 3999 host.example:6381',
  "NOPERM this user has no permissions to run the 'dump' command",
  'ERR unknown command `FOO`, with args beginning with: `secret` ',
  "OOM command not allowed when used memory > 'maxmemory'.",
  'WRONGTYPE Operation against a key holding the wrong kind of value',
  "EXECABORT Transaction discarded because of: READONLY You can't write against a read only replica.",
  'ERR Error running script (call to f_1): @user_script:3: OOM',
];

export const textEdges: readonly Edge[] = [
  edge({
    name: 'connection',
    samples: connections,
    change,
    take: (input) => addressOf(readConnectionSettings('OLD', { REDIS_OLD: input })),
    refusals: ['ConnectionSettingsError'],
  }),
  edge({
    name: 'file store',
    samples: stores,
    change,
    take: (input) => readStoreSettings('BACKUPS', { RDB_BACKUPS: input }),
    refusals: ['ConnectionSettingsError'],
  }),
  edge({
    name: 'settings of the app',
    samples: [settings],
    change: (sample, _, dice) => {
      const names = Object.keys(sample) as [keyof typeof sample, ...(keyof typeof sample)[]];
      const name = dice.pick(names);
      return { ...sample, [name]: changeText(sample[name], dice) };
    },
    take: (input) => {
      readTelemetrySettings(input);
      const read = Object.values(readAppSettings(input));
      if (read.some((value) => typeof value === 'number' && !(value > 0 && value < 1e13)))
        throw new TypeError('bounds');
    },
    refusals: ['Error'],
  }),
  edge({
    name: 'INFO',
    samples: [info],
    change,
    take: (input) => {
      for (const { keys, expires } of parseKeyspace(input)) {
        if (!(Number.isSafeInteger(keys) && keys >= 0 && expires >= 0)) throw new TypeError(`${keys} keys`);
      }
      hasKeyspace(input);
      infoField(input, 'redis_version');
      infoNumber(input, 'used_memory');
      changingCalls(input);
      parseModules(undefined, input);
    },
    refusals: [],
  }),
  edge({
    name: 'CLUSTER SLOTS',
    samples: [slots] as Reply[],
    change: (sample, _, dice) => changeDocument(sample, dice) as Reply,
    take: (input) => {
      const { masters, ownerOf } = parseTopology(input, 'seed');
      if (masters.length > 0) ownerOf(0);
    },
    refusals: ['TypeError'],
  }),
  edge({
    name: 'error reply',
    samples: replies,
    change,
    take: (input) => {
      const { message } = replyError('OLD', input, 'DUMP');
      if (!message.startsWith('Connection "OLD": ') || message.length > 1_000) throw new TypeError(message);
    },
    refusals: [],
  }),
  edge({
    name: 'cron expression',
    samples: ['0 30 2 * * *', '0 */5 8-18 * Jan,Mar Mon-Fri', '0 0 12 1-7/2 * 0'],
    change,
    take: (input) => {
      const { success, data } = cronSchema.safeParse({ cron: input, zone: 'Europe/Berlin' });
      if (success) nextDues(data, Date.UTC(2026, 0, 1), 2);
    },
    refusals: [],
  }),
  edge({
    name: 'options of the command',
    samples: ['0,1,3-5', '0:1:prefix', '1000', '10mb', 'user:*,session:*', 'https://my-app.azurewebsites.net/api/'],
    change,
    take: (input) => {
      const refused: unknown[] = [];
      for (const read of [
        parseDatabases,
        parseCount,
        parseAmount,
        parseList,
        (text: string) => parseEndpoint(text, true),
      ]) {
        try {
          read(input);
        } catch (error) {
          if (
            !(error instanceof Error) ||
            !/UsageError|InvalidArgumentError/.test(`${error.name} ${error.constructor.name}`)
          )
            throw error;
          refused.push(error);
        }
      }
      return refused;
    },
    refusals: [],
  }),
];
