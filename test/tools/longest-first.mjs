import Sequencer from '@jest/test-sequencer';

/** Those that take longest first: they start processes and wait for them, which the size of a file does not tell. */
const LONG = [
  /cli\/interrupted|migration\/troubled-sides|local\/killed-host/,
  /\/e2e\//,
  /\/(cli|console|local|migration|start)\/|whole-migration|bicep/,
];
const rank = ({ path }) => LONG.findIndex((pattern) => pattern.test(path)) >>> 0;

/** Jest's order, by how long each file took last; on a machine that has not run them, by what they do. */
export default class LongestFirst extends Sequencer {
  sort(tests) {
    const sorted = super.sort(tests);
    return sorted.some(({ duration }) => duration !== undefined) ? sorted : sorted.sort((a, b) => rank(a) - rank(b));
  }
}
