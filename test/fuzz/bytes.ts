import { readFileSync } from 'node:fs';
import path from 'node:path';
import { checkNrbf, convertSession, describeV4Session, describeV5Session } from '../../src/convert/aspnet-session';
import { repositoryRoot } from '../../local/servers/repository-root';
import { LayoutReader } from '../../src/payload/file-layout';
import { PackedReader } from '../../src/redis/message-pack';
import { replyError } from '../../src/redis/errors';
import { RespReader } from '../../src/redis/resp-reader';
import { StatusParser } from '../../src/redis/status-parser';
import { corpus } from '../convert/aspnet-session/support/corpus';
import { vectors } from '../convert/aspnet-session/support/fixtures';
import { mutate } from '../convert/aspnet-session/support/mutate';
import type { Dice } from '../torture/dice';
import { edge, type Edge } from './edge';

const change = (sample: Buffer, other: Buffer, dice: Dice) => mutate(sample, other, (below) => dice.next() % below);
const text = (value: string) => Buffer.from(value, 'latin1');

const file = readFileSync(path.join(repositoryRoot(), 'test/fixtures/redis-4.0.14.rdb'));
/** Its first records, and others from further in, each behind a head. */
const files = [0, 50_000, 200_000].map((at) =>
  Buffer.concat([file.subarray(0, 9), file.subarray(at === 0 ? 9 : at, at + 3_000)]),
);

/** Fed in pieces as they come through a socket. */
function inPieces(bytes: Buffer, feed: (piece: Buffer) => void): void {
  const half = bytes.length >> 1;
  for (const piece of [bytes.subarray(0, half), bytes.subarray(half, half + 1), bytes.subarray(half + 1)]) feed(piece);
}

export const byteEdges: readonly Edge[] = [
  edge({
    name: 'session of version 4',
    samples: corpus,
    change,
    take: (input) => {
      checkNrbf(input);
      convertSession({ fields: [[text('item'), input]] }, { nativeTypes: true });
      describeV4Session([[text('item'), input]]);
    },
    refusals: [],
  }),
  edge({
    name: 'session of version 5',
    samples: vectors.filter(({ blob }) => blob.length < 3_000).map(({ blob }) => blob),
    change,
    take: describeV5Session,
    refusals: ['FormatError'],
  }),
  edge({
    name: 'RDB file',
    samples: files,
    change,
    take: (input) => {
      const reader = new LayoutReader(1_048_576);
      inPieces(input, (piece) => {
        if (!reader.isOver) reader.push(piece);
      });
      reader.finish();
    },
    refusals: [],
  }),
  edge({
    name: 'replies of a feed',
    samples: [
      text('>2\r\n$10\r\ninvalidate\r\n*2\r\n$1\r\na\r\n$2\r\nbb\r\n'),
      text('*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n:1\r\n-ERR no\r\n+OK\r\n_\r\n'),
      text('%1\r\n+server\r\n$5\r\nredis\r\n#t\r\n,1.5\r\n(123\r\n=5\r\ntxt:a\r\n'),
    ],
    change,
    take: (input) => {
      const reader = new RespReader({
        onValue: () => undefined,
        errorOf: (reply) => replyError('OLD', reply),
        longestString: 64 * 1_048_576,
      });
      inPieces(input, (piece) => {
        reader.feed(piece);
      });
    },
    refusals: ['UnreadableReplyError'],
  }),
  edge({
    name: 'replies of bulk writes',
    samples: [text('+OK\r\n-OOM no\r\n:1\r\n$3\r\nabc\r\n$-1\r\n'), text('+QUEUED\r\n+OK\r\n+OK\r\n')],
    change,
    take: (input) => {
      const parser = new StatusParser(() => undefined);
      inPieces(input, (piece) => {
        parser.feed(piece);
      });
    },
    refusals: ['UnexpectedReplyError'],
  }),
  edge({
    name: 'what scripts pack',
    samples: [Buffer.from('93a3616263cd012cc2', 'hex'), Buffer.from('dc0002d90161cf00000000ffffffff', 'hex')],
    change,
    take: (input) => {
      const reader = new PackedReader(input);
      for (let left = Math.min(reader.array(), 1_000); left > 0; left--) {
        if (reader.isBytes()) reader.bytes();
        else reader.number();
      }
    },
    refusals: ['RangeError'],
  }),
];
