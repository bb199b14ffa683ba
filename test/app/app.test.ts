import { readAppSettings } from '../../src/app/app-settings';
import { MigrationWatch } from '../../src/app/migration-watch';
import { aMigration } from '../tools/rows';

describe("the app's settings", () => {
  it('are all optional', () => {
    expect(readAppSettings({})).toEqual({
      rangeSeconds: 240,
      checkpointSeconds: 3,
      silenceSeconds: 10,
      stallSeconds: 1_800,
      pageMicros: 2_000,
      bigKeyBytes: 16_777_216,
      bytesInFlight: 67_108_864,
      findingKeys: 'name',
    });
    expect(readAppSettings({ KEYFERRY_RANGE_SECONDS: '' }).rangeSeconds).toBe(240);
  });

  it('are read as numbers', () => {
    expect(readAppSettings({ KEYFERRY_RANGE_SECONDS: '5', KEYFERRY_PAGE_MILLISECONDS: '0.5' })).toMatchObject({
      rangeSeconds: 5,
      pageMicros: 500,
    });
  });

  it.each([
    ['KEYFERRY_RANGE_SECONDS', 'soon', '"soon" is not a number from 0.5 to 86,400'],
    ['KEYFERRY_RANGE_SECONDS', '-1', '"-1" is not a number from 0.5 to 86,400'],
    ['KEYFERRY_RANGE_SECONDS', ' ', '" " is not a number from 0.5 to 86,400'],
    ['KEYFERRY_RANGE_SECONDS', '86401', '"86401" is not a number from 0.5 to 86,400'],
    ['KEYFERRY_STALL_SECONDS', 'Infinity', '"Infinity" is not a number from 10 to 86,400'],
    ['KEYFERRY_STALL_SECONDS', 'NaN', '"NaN" is not a number from 10 to 86,400'],
    ['KEYFERRY_CHECKPOINT_SECONDS', '60', '"60" is not a number from 0.1 to 20'],
    ['KEYFERRY_SILENCE_SECONDS', '1', '"1" is not a number from 2 to 600'],
    ['KEYFERRY_PAGE_MILLISECONDS', '1e300', '"1e300" is not a number from 0.1 to 1,000'],
    ['KEYFERRY_MEMORY_MIB', '1e9', '"1e9" is not a number from 1 to 4,096'],
    ['KEYFERRY_BIG_KEY_MIB', '0', '"0" is not a number from 0.01 to 256'],
    ['KEYFERRY_FINDING_KEYS', 'sha', '"sha" is neither name nor hash'],
    ['KEYFERRY_BIG_KEY_MIB', `16\n${'x'.repeat(50)}`, `"16\\n${'x'.repeat(35)}…" is not a number from 0.01 to 256`],
  ])('name the one that is wrong, and what may stand there: %s=%j', (name, value, why) => {
    expect(() => readAppSettings({ [name]: value })).toThrow(`The setting ${name} is wrong: ${why}.`);
  });
});

it('a silence is no shorter than what a worker that is well may be silent', () => {
  const settings = { KEYFERRY_CHECKPOINT_SECONDS: '4', KEYFERRY_SILENCE_SECONDS: '12' };
  expect(readAppSettings(settings).silenceSeconds).toBe(12);
  expect(() => readAppSettings({ ...settings, KEYFERRY_SILENCE_SECONDS: '11' })).toThrow(
    'The setting KEYFERRY_SILENCE_SECONDS is wrong: It must be three times KEYFERRY_CHECKPOINT_SECONDS at least.',
  );
});

describe('the watch over migrations', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('reads a row once for all who ask within a second, and again after it or after a change', async () => {
    const get = jest.fn((id: string) => Promise.resolve(aMigration({ id })));
    const watch = new MigrationWatch({ get });
    await Promise.all([watch.get('a'), watch.get('a'), watch.get('a')]);
    expect(get).toHaveBeenCalledTimes(1);
    jest.advanceTimersByTime(1_001);
    await watch.get('a');
    expect(get).toHaveBeenCalledTimes(2);
    watch.forget('a');
    await watch.get('a');
    expect(get).toHaveBeenCalledTimes(3);
  });

  it('keeps no failure: the next one asks again', async () => {
    const get = jest.fn().mockRejectedValueOnce(new Error('away')).mockResolvedValue(undefined);
    const watch = new MigrationWatch({ get });
    await expect(watch.get('a')).rejects.toThrow('away');
    expect(await watch.get('a')).toBeUndefined();
  });
});
