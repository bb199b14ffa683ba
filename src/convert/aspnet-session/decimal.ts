import { FormatError } from './format-error';

const MAX = 2n ** 96n - 1n;
const TEXT = /^([+-]?)(\d{0,60})(?:\.(\d{0,60}))?(?:[eE]([+-]?\d{1,3}))?$/;

/**
 * The invariant text of a decimal in the collection's layout (lo, mid, hi, flags), zeros at the end kept: 1.10.
 * @throws FormatError when no decimal has these flags.
 */
export function decimalText(payload: Buffer): string {
  const flags = payload.readUInt32LE(12);
  const scale = (flags >>> 16) & 0xff;
  if ((flags & 0x7f00_ffff) !== 0 || scale > 28)
    throw new FormatError('invalid', 12, 'System.Decimal has impossible flags');
  const digits = (BigInt(payload.readUInt32LE(8)) << 64n) | payload.readBigUInt64LE(0);
  const text = digits.toString().padStart(scale + 1, '0');
  const sign = flags >>> 31 === 1 ? '-' : '';
  return scale === 0 ? sign + text : `${sign}${text.slice(0, -scale)}.${text.slice(-scale)}`;
}

/**
 * The collection's layout of a decimal from its text, keeping the zeros at the end. Undefined when it is no number, or
 * a decimal cannot hold it exactly.
 */
export function decimalPayload(text: string): Buffer | undefined {
  const match = TEXT.exec(text);
  const whole = match?.[2] ?? '';
  const fraction = match?.[3] ?? '';
  if (whole.length + fraction.length === 0) return undefined;
  const exponent = Number(match?.[4] ?? 0);
  let digits = BigInt(whole + fraction);
  let scale = fraction.length - exponent;
  for (; scale > 28 && digits % 10n === 0n; scale--) digits /= 10n;
  for (; scale < 0 && digits <= MAX; scale++) digits *= 10n;
  if (digits > MAX || scale > 28 || scale < 0) return undefined;
  const payload = Buffer.alloc(16);
  payload.writeBigUInt64LE(digits & 0xffff_ffff_ffff_ffffn, 0);
  payload.writeUInt32LE(Number(digits >> 64n), 8);
  payload.writeUInt32LE(((match?.[1] === '-' ? 0x8000_0000 : 0) | (scale << 16)) >>> 0, 12);
  return payload;
}
