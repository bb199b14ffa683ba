import * as fc from 'fast-check';
import { absoluteExpiration, isPlainEntry, NONE, readEntry } from '../../../src/convert/distributed-cache/entry';
import { ticksAt } from './support/dotnet';

const text = (value: string | undefined) => (value === undefined ? undefined : Buffer.from(value));
const read = (absexp: string | undefined, sldexp: string | undefined, data?: string, more = 0) =>
  readEntry({
    absexp: text(absexp),
    sldexp: text(sldexp),
    data: text(data),
    fields: [absexp, sldexp, data].filter((field) => field !== undefined).length + more,
  });

/** DateTimeOffset.MaxValue, 9999-12-31T23:59:59.9999999Z. */
const LAST_MS = Date.UTC(9_999, 11, 31, 23, 59, 59, 999);

describe('absexp', () => {
  it.each([
    [0, NONE],
    // new DateTimeOffset(1970, 1, 1, 0, 0, 0, TimeSpan.Zero).Ticks and so on, by .NET.
    [1, '621355968000010000'],
    [Date.UTC(2024, 0, 1), '638396640000000000'],
    [LAST_MS, '3155378975999990000'],
    [LAST_MS + 1, NONE],
    [Number.MAX_SAFE_INTEGER, NONE],
  ])('of an expiry at %d ms is %s', (expiry, ticks) => {
    expect(absoluteExpiration(expiry)).toBe(ticks);
  });

  it('is a moment that an independent reckoning agrees with, and that is read again', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: LAST_MS }), fc.uint8Array(), (expiry, value) => {
        const [absexp, data] = [absoluteExpiration(expiry), Buffer.from(value)];
        expect(absexp).toBe(ticksAt(expiry));
        const entry = { absexp: Buffer.from(absexp), sldexp: Buffer.from(NONE), data, fields: 3 };
        expect(readEntry(entry)).toEqual({ data, slides: false });
        expect(isPlainEntry(entry, expiry)).toBe(true);
        expect(isPlainEntry(entry, expiry + 60)).toBe(false);
      }),
    );
  });
});

describe('an entry', () => {
  it.each([
    ['-1', '-1', false],
    ['638396640000000000', '-1', false],
    ['-1', '200000000', true],
    ['638396640000000000', '9223372036854775807', true],
    // .NET reads what is not there as none.
    [undefined, '-1', false],
    ['-1', undefined, false],
  ])('with absexp %s and sldexp %s is read', (absexp, sldexp, slides) => {
    expect(read(absexp, sldexp, 'value')).toEqual({ data: Buffer.from('value'), slides });
  });

  it.each([
    ['x', '-1'],
    ['', '-1'],
    ['-2', '-1'],
    ['3155378976000000000', '-1'],
    ['1.5', '-1'],
    ['-1', '9223372036854775808'],
    ['-1', 'ff'],
    ['-1', ' 1'],
  ])('with absexp %j and sldexp %j is none that .NET reads', (absexp, sldexp) => {
    expect(read(absexp, sldexp, 'value')).toMatchObject({ wrong: 'bad-expiration' });
  });

  it('without a value, or with more in it, is not converted', () => {
    expect(read('-1', '-1')).toMatchObject({ wrong: 'no-data' });
    expect(read('-1', '-1', 'value', 1)).toMatchObject({ wrong: 'more-fields' });
    expect(read('-1', undefined, 'value', 1)).toMatchObject({ wrong: 'more-fields' });
  });

  it('of any bytes is read or refused, never anything else', () => {
    const field = fc.option(fc.uint8Array({ maxLength: 24 }), { nil: undefined });
    fc.assert(
      fc.property(field, field, field, fc.nat({ max: 5 }), (absexp, sldexp, data, fields) => {
        const bytes = (value: Uint8Array | undefined) => (value === undefined ? undefined : Buffer.from(value));
        const result = readEntry({ absexp: bytes(absexp), sldexp: bytes(sldexp), data: bytes(data), fields });
        if ('data' in result) expect(result.data.equals(bytes(data)!)).toBe(true);
        else expect(['no-data', 'more-fields', 'bad-expiration']).toContain(result.wrong);
      }),
    );
  });
});
