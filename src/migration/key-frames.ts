import { makeNaming } from '../convert/rename/naming';
import { sampleOf } from '../keyspace/glob';
import type { MigrationRequest } from './request';

/** What stands before and behind that part of a name in which keys differ: bytes as latin1 text. */
export interface KeyFrame {
  readonly before: string;
  readonly after: string;
}

/** A name that a key of the migration might have, and those that it stands for. */
export interface SampleKey {
  readonly name: Buffer;
  /** As a glob. */
  readonly pattern: string;
  /** Undefined where all names of the pattern are one. */
  readonly frame?: KeyFrame | undefined;
}

const plainFrame: KeyFrame = { before: '', after: '' };

/** A name in which a filling stands for all others. */
function sampleKey(name: Buffer, filling: Buffer): SampleKey {
  const at = name.indexOf(filling);
  if (at < 0) return { name, pattern: name.toString('utf8') };
  const [before, after] = [name.subarray(0, at), name.subarray(at + filling.length)];
  return {
    name,
    pattern: `${before.toString('utf8')}*${after.toString('utf8')}`,
    frame: { before: before.toString('latin1'), after: after.toString('latin1') },
  };
}

/** A name within a frame. */
export function framed({ before, after }: KeyFrame = plainFrame, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(before, 'latin1'), name, Buffer.from(after, 'latin1')]);
}

/** One sample for each glob that keys are selected by; where there is none, one for all names. */
export function sourceSamples({ select }: Pick<MigrationRequest, 'select'>, filling: Buffer): SampleKey[] {
  const globs = select.match.length === 0 ? ['*'] : select.match;
  return globs.flatMap((glob) => {
    const name = sampleOf(glob, filling);
    return name === undefined ? [] : [sampleKey(name, filling)];
  });
}

/** The same as their keys are called on the target: by the rename rules, and with the prefixes of databases. */
export function targetSamples(
  request: Pick<MigrationRequest, 'select' | 'rename'>,
  prefixes: Iterable<string>,
  filling: Buffer,
): SampleKey[] {
  const names = sourceSamples(request, filling).map(({ name }) => name);
  return [...new Set(prefixes)].flatMap((prefix) => {
    const naming = makeNaming(request.rename, prefix);
    return names.map((name) => sampleKey(naming?.(name) ?? name, filling));
  });
}
