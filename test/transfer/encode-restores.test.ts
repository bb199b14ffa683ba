import fc from 'fast-check';
import { EncodedCommands } from '../../src/redis/encoded-command';
import type { Command } from '../../src/redis/redis-port';
import { encodeRestores } from '../../src/transfer/encode-restores';

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
const NOW = 1_795_000_000_000;
const expiry = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 1, max: 3_000 }).map((ms) => NOW + ms),
  fc.constantFrom(NOW + 999_999_999, NOW + 1_000_000_000, 8_640_000_000_000_000, Number.MAX_SAFE_INTEGER),
);

describe('pages as RESTORE commands', () => {
  it.each([
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ])('are the bytes of the same commands one by one (replace %s, absolute expiry %s)', (replace, absoluteExpiry) => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ key: bytes(40), expiry, payload: bytes(300) }), { maxLength: 20 }),
        (entries) => {
          const commands = entries.map((entry): Command => {
            const ttl = entry.expiry === 0 || absoluteExpiry ? entry.expiry : entry.expiry - NOW;
            const flags = [
              ...(replace ? ['REPLACE'] : []),
              ...(absoluteExpiry && entry.expiry !== 0 ? ['ABSTTL'] : []),
            ];
            return ['RESTORE', entry.key, String(ttl), entry.payload, ...flags];
          });
          const encoded = encodeRestores(entries, { replace, absoluteExpiry, now: NOW });
          expect(encoded.count).toBe(entries.length);
          expect(encoded.bytes.equals(EncodedCommands.of(commands).bytes)).toBe(true);
        },
      ),
    );
  });

  it('go over the wire as the protocol has them', () => {
    const entries = [{ key: Buffer.from('k'), expiry: 1_795_000_000_123, payload: Buffer.from('abc') }];
    const { bytes: sent } = encodeRestores(entries, { replace: true, absoluteExpiry: true, now: NOW });
    expect(sent.toString()).toBe(
      '*6\r\n$7\r\nRESTORE\r\n$1\r\nk\r\n$13\r\n1795000000123\r\n$3\r\nabc\r\n$7\r\nREPLACE\r\n$6\r\nABSTTL\r\n',
    );
  });
});
