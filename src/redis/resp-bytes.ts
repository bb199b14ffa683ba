/** Bytes of RESP, in both protocols: https://redis.io/docs/latest/develop/reference/protocol-spec/ */
export const CR = 0x0d;
export const LF = 0x0a;
export const ZERO = 0x30;

/** The first bytes of values. */
export const KIND = {
  status: 0x2b, // +
  error: 0x2d, // -
  number: 0x3a, // :
  bulk: 0x24, // $
  array: 0x2a, // *
  null: 0x5f, // _
  double: 0x2c, // ,
  big: 0x28, // (
  boolean: 0x23, // #
  verbatim: 0x3d, // =
  bulkError: 0x21, // !
  set: 0x7e, // ~
  push: 0x3e, // >
  map: 0x25, // %
} as const;
