import { pauseAfter } from '../../src/tally/keeper';

describe('the pause between two looks at the open migrations', () => {
  it('is a part of the silence after which a worker counts as gone, and two seconds at most where a look is quick', () => {
    expect(pauseAfter(5, 15_000)).toBe(2_000);
    expect(pauseAfter(5, 3_000)).toBe(600);
  });

  it('grows with what a look takes, since many ranges are read then', () => {
    expect(pauseAfter(300, 15_000)).toBe(3_000);
  });

  it('is never long: a look that waited for a storage that was away is followed by another soon', () => {
    expect(pauseAfter(15_000, 15_000)).toBe(5_000);
    expect(pauseAfter(120_000, 15_000)).toBe(5_000);
  });
});
