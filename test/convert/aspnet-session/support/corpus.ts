import fc from 'fast-check';

import { vectors } from './fixtures';
import { graph, stream, text, int32, writeGraph } from './nrbf-writer';

/** Well-formed streams of all sorts and moderate size: real ones, generated ones, and rare forms. */
export const corpus: readonly Buffer[] = [
  ...vectors.filter(({ nrbf }) => nrbf.length < 2500).map(({ nrbf }) => nrbf),
  ...fc.sample(graph, { numRuns: 150, seed: 4 }).map(writeGraph),
  stream('0f01000000', int32(4), '03', Buffer.from('a🎉b')),
  stream('0701000000', '02', int32(2), int32(2), int32(2), '01', '0a0a', '0602000000', text('x'), '0902000000'),
];
