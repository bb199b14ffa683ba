import { RestError } from '@azure/data-tables';
import { safeText } from '../basics/safe-text';
import { fromChunks } from './chunked-text';

/** What Table storage gives. */
export type Entity = Record<string, unknown> & { etag?: string; rowKey?: string };

/** An entity to be written. */
export type NewEntity = Record<string, unknown> & { partitionKey: string; rowKey: string };

/** Table storage takes 100 entities a transaction. */
export const BATCH = 100;

/** Whether an entity was created; false when it is there already. */
export async function created(writing: Promise<unknown>): Promise<boolean> {
  try {
    await writing;
    return true;
  } catch (error) {
    if (isConflict(error)) return false;
    throw error;
  }
}

/** The entity, or undefined when there is none. */
export async function found(reading: Promise<Entity>): Promise<Entity | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** 404: there is no such entity. */
export function isGone(error: unknown): boolean {
  return error instanceof RestError && error.statusCode === 404;
}

/** 409: the entity is there already. 412: its ETag has changed. */
export function isConflict(error: unknown): boolean {
  return error instanceof RestError && (error.statusCode === 409 || error.statusCode === 412);
}

/** Ids come from outside; what a row key or a filter cannot hold finds nothing. */
export function rowKeyText(text: string): string {
  return /^[A-Za-z0-9-]{1,100}$/.test(text) ? text : '-';
}

/** A value in pieces; undefined where they are no JSON. */
export function chunksOrUndefined(name: string, entity: Entity): unknown {
  try {
    return fromChunks(name, entity);
  } catch {
    return undefined;
  }
}

const LONGEST_TEXT = 1_000;

/** A text for people, which may come from a server: safe, and of bounded length. */
export function textForPeople(text: string | null): string {
  return safeText(text ?? '', LONGEST_TEXT);
}

/** A binary property of an entity holds 64 KiB. */
const BINARY_CHUNK = 65_536;

/** Bytes spread over properties packed0, packed1, … */
export function binaryChunks(packed: Buffer): Record<string, Buffer> {
  const chunks: Record<string, Buffer> = {};
  for (let i = 0; i * BINARY_CHUNK < packed.length; i++) {
    chunks[`packed${i}`] = packed.subarray(i * BINARY_CHUNK, (i + 1) * BINARY_CHUNK);
  }
  return chunks;
}

/** Reads the bytes of `binaryChunks`. */
export function fromBinaryChunks(entity: Entity): Buffer {
  const chunks: Uint8Array[] = [];
  for (let i = 0; ; i++) {
    const chunk = entity[`packed${i}`];
    if (!(chunk instanceof Uint8Array)) return Buffer.concat(chunks);
    chunks.push(chunk);
  }
}
