import type { NullableString, ParameterBinding, TypedData } from './core-types';

/** A text as the worker hands it on. */
export const rpcString = (value: string): TypedData => ({ string: value, data: 'string' });

/** Text that is JSON already. */
export const rpcJsonText = (text: string): TypedData => ({ json: text, data: 'json' });

/** A value, written as JSON. */
export const rpcJson = (value: unknown): TypedData => rpcJsonText(JSON.stringify(value));

export const rpcBytes = (bytes: Uint8Array): TypedData => ({ bytes, data: 'bytes' });

export const nullableString = (value: string): NullableString => ({ value, string: 'value' });

/** One named input of an invocation. */
export const parameter = (name: string, data: TypedData): ParameterBinding => ({ name, data, rpcData: 'data' });

/**
 * What the host adds to the trigger metadata when a payload is a JSON object: its scalar fields as text, in the
 * spelling of .NET (`True`, `False`); arrays, objects and nulls are left out.
 * @param text the payload; anything that is not a JSON object adds nothing
 */
export function scalarFields(text: string): Record<string, TypedData> {
  if (!text.trimStart().startsWith('{')) return {};
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return {};
  }
  const fields: Record<string, TypedData> = {};
  for (const [name, value] of Object.entries(parsed as Record<string, unknown>)) {
    if (typeof value === 'string') fields[name] = rpcString(value);
    else if (typeof value === 'number') fields[name] = rpcString(String(value));
    else if (typeof value === 'boolean') fields[name] = rpcString(value ? 'True' : 'False');
  }
  return fields;
}
