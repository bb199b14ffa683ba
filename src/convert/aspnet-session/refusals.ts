import type { Appearance } from './looks-like';

/** Why a session was not converted. `field` is the item's name as bytes; `message` says it in one line. */
export type SessionRefusal =
  /** The hash is empty: version 4 has no such session. */
  | { readonly code: 'no-items'; readonly message: string }
  /** A name that is not UTF-8 cannot come from the provider. */
  | { readonly code: 'bad-name'; readonly field: Buffer; readonly message: string }
  /** A custom serializer wrote this value. */
  | {
      readonly code: 'not-binary-formatter';
      readonly field: Buffer;
      readonly looksLike: Appearance;
      readonly message: string;
    }
  /** The value is a stream that no reader would take; `offset` is the value's byte. */
  | {
      readonly code: 'damaged-value';
      readonly field: Buffer;
      readonly offset: number;
      readonly reason: string;
      readonly message: string;
    }
  /** Json.NET wrote a value that version 5 has no form for here; `type` is its .NET type or JSON's word. */
  | { readonly code: 'unrepresentable'; readonly field: Buffer; readonly type: string; readonly message: string }
  /** SessionTimeout is not a positive number of seconds. */
  | { readonly code: 'bad-timeout'; readonly message: string }
  /** More, or larger, than any session should be. */
  | { readonly code: 'limit'; readonly field?: Buffer; readonly reason: string; readonly message: string };
