import { parseModules } from '../../src/redis/loaded-modules';

const list = [
  [Buffer.from('name'), Buffer.from('bf'), Buffer.from('ver'), 20_812, Buffer.from('path'), Buffer.from('/x.so')],
  [Buffer.from('name'), Buffer.from('ReJSON'), Buffer.from('ver'), 20_606],
];
const info =
  '# Modules\r\nmodule:name=bf,ver=20812,api=1,filters=0\r\nmodule:name=ReJSON,ver=20606,api=1,usedby=[a]\r\n';
const both = [
  { name: 'bf', version: 20_812 },
  { name: 'ReJSON', version: 20_606 },
];

it.each([
  ['by MODULE LIST', list, '', both],
  ['by INFO', undefined, info, both],
  ['by MODULE LIST before INFO', [], info, []],
  ['none of them, by INFO', undefined, '# Modules\r\n', []],
  ['nothing, where INFO has no such section', undefined, '# Server\r\nredis_version:4.0.14\r\n', undefined],
  ['nothing, where both are refused', undefined, '', undefined],
  ['nothing, where one has no version', [...list, [Buffer.from('name'), Buffer.from('own')]], '', undefined],
  ['nothing of what is no list of modules', [Buffer.from('bf')], '', undefined],
])('modules are told %s', (_, reply, text, expected) => {
  expect(parseModules(reply, text)).toEqual(expected);
});
