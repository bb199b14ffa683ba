import { moduleTypeOf } from '../payload/module-type';
import { isSound } from '../payload/check-value';
import { NOT_READ, type Passage, type PayloadGate, type Withheld } from '../payload/payload-gate';
import { Workspace } from '../payload/workspace';
import { encodingNameOf, mayHaveFieldExpiries, typeNameOf } from '../payload/type-names';
import type { FileOrigin } from '../range/file-origin';
import { answersFor } from '../transfer/file-port';
import type { KeyFacts } from './key-facts';
import type { SurveySource } from './survey-part';

/** Of what is larger only what stands before its value is read again. */
const READ_AGAIN_BYTES = 1_048_576;

/** What a file's value is that a restore would not send, wherever to. */
const NO_VALUE: Withheld = {
  code: 'payload-not-taken',
  message: 'Its value in the file is none that a server writes.',
};

/** How a key of a file would go, its value where it is at hand. */
type PassageOf = (key: Buffer, value: Buffer | undefined) => Passage;

/**
 * How a file's keys would go to a target.
 * @param version of the file
 * @param mostBytes what is larger goes in pieces, where it can
 */
export function passagesTo(
  file: Pick<FileOrigin, 'largeOf'>,
  version: number,
  mostBytes: number,
  gate: PayloadGate,
): PassageOf {
  return (key, value) => {
    const { type = 0, bytes = 0 } = file.largeOf(key) ?? {};
    const passage = value === undefined ? gate.passageUnder(type, version) : gate.passageOf(value);
    if (passage === 'by-commands') return NOT_READ;
    if (value !== undefined || bytes <= mostBytes) return passage;
    return answersFor(type) ? 'by-commands' : tooLarge(mostBytes);
  };
}

/** Where there is no target only that is told which nothing but the value is to blame for. */
export function passagesToNone(): PassageOf {
  const space = new Workspace();
  return (_key, value) => (value === undefined || isSound(value, space) ? 'as-is' : NO_VALUE);
}

/**
 * A file that is surveyed: what its keys are is read from how their values stand in it.
 * @param now ms since 1970
 */
export function fileSource(
  file: Pick<FileOrigin, 'attempt' | 'fileKeys' | 'largeOf'>,
  passageOf: PassageOf,
  now: () => number,
): SurveySource {
  const typeOf = (key: Buffer, payload: Buffer | undefined) => payload?.[0] ?? file.largeOf(key)?.type ?? 0;
  const factsFrom = (key: Buffer, payload: Buffer | undefined, expiry: number): KeyFacts | undefined => {
    const moment = now();
    if (expiry !== 0 && expiry <= moment) return undefined;
    const type = typeOf(key, payload);
    return {
      type: (payload && moduleTypeOf(payload)) ?? typeNameOf(type),
      encoding: encodingNameOf(type, payload),
      expiresIn: expiry === 0 ? undefined : (expiry - moment) / 1_000,
      bytes: payload?.length ?? file.largeOf(key)?.bytes ?? 0,
      fieldExpiries: mayHaveFieldExpiries(type),
    };
  };
  return {
    factsOf: async (page, keys) => {
      const facts = new Map<Buffer, KeyFacts | undefined>();
      page.keys.forEach((key, i) => facts.set(key, factsFrom(key, bufferOf(page.payloads[i]), page.expiries[i] ?? 0)));
      // Those that converters took.
      const others = keys.filter((key) => !facts.has(key));
      const read = await file.attempt(() => file.fileKeys.read(others, READ_AGAIN_BYTES));
      others.forEach((key, i) => {
        const found = read[i];
        facts.set(key, found && factsFrom(key, bufferOf(found.payload), found.expiry));
      });
      return keys.map((key) => facts.get(key));
    },
    passageOf: (key, payload) => passageOf(key, bufferOf(payload)),
  };
}

function tooLarge(mostBytes: number): Withheld {
  const most = `${Math.floor(mostBytes / 1_048_576)} MiB`;
  const message = `Its type goes only whole, and it is larger than ${most}, the most that goes at once (KEYFERRY_MEMORY_MIB).`;
  return { code: 'too-large', message };
}

function bufferOf(payload: unknown): Buffer | undefined {
  return Buffer.isBuffer(payload) ? payload : undefined;
}
