import { makeSelection } from '../../src/migration/selection';

const select = (changes: Partial<Parameters<typeof makeSelection>[0]>) =>
  makeSelection({ match: [], exclude: [], types: [], ...changes });
const wants = (selection: ReturnType<typeof makeSelection>, key: string, type?: string) =>
  selection.wants(Buffer.from(key), type);

describe('a selection', () => {
  it('of nothing in particular is everything, and no key need be looked at', () => {
    expect(select({})).toMatchObject({ all: true, needsTypes: false });
    expect(wants(select({}), 'any')).toBe(true);
  });

  it('wants what any pattern matches and none excludes', () => {
    const selection = select({ match: ['user:*', 'session:*'], exclude: ['*:tmp'] });
    expect(selection).toMatchObject({ all: false, needsTypes: false });
    expect(['user:1', 'session:1', 'user:tmp', 'other'].map((key) => wants(selection, key))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  it('by types wants these and no unknown ones', () => {
    const selection = select({ types: ['hash', 'stream'] });
    expect(selection.needsTypes).toBe(true);
    expect(['hash', 'stream', 'string', 'ReJSON-RL', undefined].map((type) => wants(selection, 'k', type))).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });
});
