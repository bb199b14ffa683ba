import { CutOver } from '../../src/live/cut-over';
import type { Look, Session } from '../../src/live/source-feed';
import type { SideFacts } from '../../src/app/side-facts';

/** Milliseconds that have passed. */
let now = 0;
let written = 0;
/** Names told, and those of them that are applied; and whether some are on their way. */
let told = 0;
let applied = 0;
let isResting = true;
let masterLinkDown: true | undefined;

beforeEach(() => {
  [now, written, told, applied, isResting, masterLinkDown] = [0, 0, 0, 0, true, undefined];
  jest.spyOn(performance, 'now').mockImplementation(() => now);
});

afterEach(() => {
  jest.restoreAllMocks();
});

const session: Session = {
  runId: 'a',
  kind: 'tracking',
  source: { servers: [], slots: '', areMoving: false },
  target: { runId: 'b' },
  groupCalls: 0,
};

function begun(): { readonly cutOver: CutOver; step(ms: number): Promise<string | null> } {
  const cutOver = new CutOver({
    now: () => new Date(now).toISOString(),
    barrier: () => Promise.resolve(),
    mark: () => new Map([[0, told]]),
    isAppliedUpTo: (mark) => applied >= (mark.get(0) ?? 0),
    waiting: () => told - applied,
    isResting: () => isResting,
    noteStreams: () => Promise.resolve(0),
    lookForWriters: () => Promise.resolve(),
  });
  const look = (): Promise<Look> => {
    const facts = {
      runId: 'a',
      role: 'master',
      changes: written,
      lastSave: 1,
      commandCalls: { set: written },
      masterLinkDown,
    };
    return Promise.resolve({
      source: facts as unknown as SideFacts,
      marks: session.source,
      target: facts as unknown as SideFacts,
    });
  };
  return {
    cutOver,
    step: async (ms) => {
      now += ms;
      await cutOver.step(session, look);
      return cutOver.stand.step;
    },
  };
}

it('is proved once the source stands still, all that it told is applied, and nothing is on its way any more', async () => {
  const { cutOver, step } = begun();
  [told, applied, isResting] = [3, 2, false];
  expect(await step(0)).toBe('quiet');
  expect(await step(1_900)).toBe('quiet');
  expect(await step(200)).toBe('drain');
  // What is to be applied must be let through.
  expect(cutOver.holds).toBe(false);
  applied = 3;
  // A key has expired meanwhile, and is on its way.
  told = 4;
  expect(await step(50)).toBe('drain');
  expect(cutOver).toMatchObject({ holds: true, stand: { proof: null } });
  isResting = true;
  expect(await step(50)).toBe('proved');
  expect(cutOver).toMatchObject({ holds: true, stand: { proof: { names: 1, streams: 0 } } });
  expect(await step(50)).toBe('proved');
});

it('a write sends it back, and lets through what is told', async () => {
  const { cutOver, step } = begun();
  await step(0);
  isResting = false;
  expect(await step(2_100)).toBe('drain');
  expect(cutOver.holds).toBe(true);
  written = 1;
  isResting = true;
  expect(await step(50)).toBe('quiet');
  expect(cutOver.holds).toBe(false);
  expect(await step(2_100)).toBe('proved');
  written = 2;
  expect(await step(50)).toBe('quiet');
  expect(cutOver).toMatchObject({ holds: false, stand: { proof: null } });
  cutOver.reset();
  expect(cutOver.stand.step).toBeNull();
});

it('a replica that has nothing from its master proves nothing, and that is said', async () => {
  const { cutOver, step } = begun();
  await step(0);
  masterLinkDown = true;
  await expect(step(2_100)).rejects.toThrow('master_link_status: down');
  masterLinkDown = undefined;
  expect(await step(50)).toBe('quiet');
  expect(cutOver.stand.proof).toBeNull();
  expect(await step(2_100)).toBe('proved');
});
