import fc from 'fast-check';

import { looksLike } from '../../../src/convert/aspnet-session';
import { vector } from './support/fixtures';
import { processorTime } from '../../tools/processor-time';

const hex = (text: string): Buffer => Buffer.from(text, 'hex');

describe('looksLike', () => {
  it.each([
    ['empty', Buffer.alloc(0)],
    ['JSON', Buffer.from('{"a":1}')],
    ['JSON', Buffer.from(' [1]')],
    ['JSON', Buffer.from('"x"')],
    ['JSON', Buffer.from('\ufeffnull')],
    ['JSON', Buffer.from('-1.5e3')],
    ['XML', Buffer.from('\ufeff<?xml version="1.0"?><a/>')],
    ['text', Buffer.from('héllo\r\n')],
    ['text', Buffer.from('é'.repeat(50_000))],
    ['base64 of a BinaryFormatter stream', Buffer.from(vector('int32_1').nrbf.toString('base64'))],
    ['UTF-16 text', Buffer.from('hello', 'utf16le')],
    ['UTF-16 text', hex('fffe68006500')],
    ['gzip', hex('1f8b080000000000')],
    ['zlib', hex('789c4bcac90700')],
    ['zstd', hex('28b52ffd2001')],
    ['LZ4', hex('04224d186440')],
    ['ObjectStateFormatter', hex('ff010501')],
    ['MessagePack', hex('82a16101a16202')],
    ['MessagePack', hex('93c3c2cb3ff8000000000000')],
    ['MessagePack', hex('dc0003010203')],
    ['MessagePack', hex('81a161c403000102')],
    ['MessagePack', hex('c70c630102030405060708090a0b0c')],
    ['protobuf', hex('0a0568656c6c6f10ac02')],
    ['protobuf', hex('09182d4454fb21094015000080bf')],
    [
      'a BinaryFormatter stream with an unusual header',
      Buffer.concat([hex('0002000000ffffffff0100000000000000'), vector('int32_1').nrbf.subarray(17)]),
    ],
    ['a damaged BinaryFormatter stream', vector('int32_1').nrbf.subarray(0, 30)],
    ['unknown binary data', hex('fffffefdfc')],
    ['unknown binary data', hex('82a161')],
  ])('%s', (appearance, bytes) => {
    expect(looksLike(bytes)).toBe(appearance);
  });

  it('never fails, and is quick', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => looksLike(Buffer.from(bytes)).length > 0),
      { numRuns: 2000 },
    );
    const spent = processorTime();
    for (const byte of [0, 8, 0x0a, 0x7f, 0x81, 0x9f, 0xdd, 0xff]) looksLike(Buffer.alloc(50_000_000, byte));
    expect(spent()).toBeLessThan(2000);
  });
});
