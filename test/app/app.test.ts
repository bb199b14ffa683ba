import { readAppSettings } from '../../src/app/app-settings';
import { MigrationWatch } from '../../src/app/migration-watch';
import { aMigration } from '../tools/rows';

describe("the app's settings", () => {
  it('are all optional', () => {
    expect(readAppSettings({})).toEqual({
      rangeSeconds: 240,
      checkpointSeconds: 3,
      silenceSeconds: 60,
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
    ['KEYFERRY_RANGE_SECONDS', 'soon'],
    ['KEYFERRY_RANGE_SECONDS', '-1'],
    ['KEYFERRY_CHECKPOINT_SECONDS', '60'],
    ['KEYFERRY_SILENCE_SECONDS', '4'],
    ['KEYFERRY_MEMORY_MIB', '1e9'],
    ['KEYFERRY_BIG_KEY_MIB', '0'],
  ])('name the one that is wrong: %s=%s', (name, value) => {
    expect(() => readAppSettings({ [name]: value })).toThrow(`The setting ${name} is wrong`);
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
