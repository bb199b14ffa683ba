import {
  checkNrbf,
  convertSession,
  describeV4Session,
  describeV5Session,
  FormatError,
  itemValue,
  readCollection,
} from '../../../src/convert/aspnet-session';
import { corpus } from './support/corpus';
import { collections, vectors } from './support/fixtures';
import { mutate, random } from './support/mutate';

const ROUNDS = 120_000;
const NAME = Buffer.from('item');

// Hundreds of thousands of refusals, each with its stack otherwise.
beforeAll(() => {
  Error.stackTraceLimit = 1;
});

describe('damaged input', () => {
  it('gives a typed refusal or a good blob, in bounded steps', () => {
    const next = random(20_231_123);
    const pick = () => corpus[next(corpus.length)]!;
    const seen = { converted: 0, refused: 0 };
    for (let round = 0; round < ROUNDS; round++) {
      const value = mutate(pick(), pick(), next);
      const check = checkNrbf(value);
      if (check.ok && check.steps > value.length) throw new Error(`${check.steps} steps for ${value.length} bytes`);
      const outcome = convertSession({ fields: [[NAME, value]] }, { nativeTypes: round % 2 === 0 });
      if (!outcome.ok) {
        seen.refused++;
        const { code, message } = outcome.refusal;
        if (!['damaged-value', 'not-binary-formatter', 'limit'].includes(code) || message === '') throw new Error(code);
        if (check.ok && !message.includes('System.')) throw new Error(`well-formed, but: ${message}`);
        continue;
      }
      seen.converted++;
      // What is accepted is well-formed whole, and reads back.
      if (!check.ok) throw new Error(`accepted, but ${check.reason}: ${value.toString('hex')}`);
      const { items, trailing } = readCollection(outcome.collection);
      const item = items[0]!.read();
      if (items.length !== 1 || trailing !== 0) throw new Error('not one item');
      if (item.typeCode === 20 && !item.payload.equals(value)) throw new Error('changed');
      itemValue(item);
    }
    expect(seen.converted + seen.refused).toBe(ROUNDS);
    expect(seen.converted).toBeGreaterThan(ROUNDS / 100);
    expect(seen.refused).toBeGreaterThan(ROUNDS / 2);
  });

  it('can be shown: version 4 fields', () => {
    const next = random(7);
    for (let round = 0; round < 20_000; round++) {
      const value = mutate(corpus[next(corpus.length)]!, corpus[next(corpus.length)]!, next);
      const rows = describeV4Session([[NAME, value]]);
      if (rows.length !== 1) throw new Error('not one row');
      const { type, value: shown } = rows[0]!;
      if (/[\p{C}]/u.test(type + shown) || shown.length > 3000) throw new Error(`unsafe: ${shown}`);
    }
  });

  it('can be shown, or is a FormatError: version 5 blobs', () => {
    const next = random(5);
    const blobs = [
      ...vectors.filter(({ name }) => name !== 'string_20000').map(({ blob }) => blob),
      ...[collections.two_a1_bcxy, collections.nullItem_n, collections.nullKeySecond_b6_5].map((hex) =>
        Buffer.from(hex, 'hex'),
      ),
    ];
    let shown = 0;
    for (let round = 0; round < 30_000; round++) {
      const blob = mutate(blobs[next(blobs.length)]!, blobs[next(blobs.length)]!, next);
      try {
        describeV5Session(blob);
        shown++;
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
      }
    }
    expect(shown).toBeGreaterThan(3000);
  });

  it('random bytes behind a header', () => {
    const next = random(99);
    const header = corpus[0]!.subarray(0, 17);
    for (let round = 0; round < 20_000; round++) {
      const tail = Buffer.from(Array.from({ length: next(60) }, () => (next(2) === 0 ? next(18) : next(256))));
      const outcome = convertSession({ fields: [[NAME, Buffer.concat([header, tail])]] });
      if (outcome.ok) readCollection(outcome.collection).items.map((item) => itemValue(item.read()));
    }
  });
});
