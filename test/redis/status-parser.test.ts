import fc from 'fast-check';
import { StatusParser, UnexpectedReplyError } from '../../src/redis/status-parser';

function parse(pieces: readonly Buffer[]): (string | undefined)[] {
  const seen: (string | undefined)[] = [];
  const parser = new StatusParser((error) => seen.push(error));
  for (const piece of pieces) parser.feed(piece);
  return seen;
}

const replies = fc.oneof(
  fc.constant({ wire: '+OK\r\n', error: undefined }),
  fc.constant({ wire: '+Background saving started\r\n', error: undefined }),
  fc.integer().map((n) => ({ wire: `:${n}\r\n`, error: undefined })),
  fc.stringMatching(/^[A-Z]{1,9} [a-z ]{0,40}$/).map((error) => ({ wire: `-${error}\r\n`, error })),
  fc.constant({ wire: '$-1\r\n', error: undefined }),
  fc.constant({ wire: '$8\r\n+OK\r\n-X \r\n', error: undefined }),
);

it('tells errors from other replies, in their order, however the bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(replies, { maxLength: 60 }), fc.array(fc.nat(40), { maxLength: 80 }), (list, cuts) => {
      let rest = Buffer.from(list.map(({ wire }) => wire).join(''), 'latin1');
      const pieces: Buffer[] = [];
      for (const cut of cuts) {
        pieces.push(rest.subarray(0, cut));
        rest = rest.subarray(cut);
      }
      expect(parse([...pieces, rest])).toEqual(list.map(({ error }) => error));
    }),
  );
});

it('gives up on a reply that is no status', () => {
  expect(() => parse([Buffer.from('+OK\r\n*1\r\n$1\r\na\r\n')])).toThrow(UnexpectedReplyError);
});
