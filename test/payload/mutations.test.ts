import { collectSamples } from '../mutations/samples';
import { Trial } from '../mutations/trial';

const ROUNDS = 5;
const PAYLOADS = 300;
const SEED = 7;

it('no payload that passes every look at it ends a real Redis 6.0, or becomes other data there', async () => {
  const samples = await collectSamples(['redis-6.0', 'redis-8.0']);
  expect([...new Set(samples.map(({ body }) => body[0]))].sort((a, b) => Number(a) - Number(b))).toEqual([
    ...[0, 1, 2, 3, 4, 5, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 21, 22, 24, 25],
  ]);
  const trial = await Trial.begin(samples);
  try {
    for (let round = 0; round < ROUNDS; round++) await trial.run(SEED + round, PAYLOADS);
    expect(trial.culprits).toEqual([]);
    expect(trial.tally).toMatchObject({ made: ROUNDS * PAYLOADS, ended: 0, hung: 0, corrupted: 0, failed: 0 });
    // It means something only where many pass, and many do not.
    expect(trial.tally.taken).toBeGreaterThan(100);
    expect(trial.tally.turnedDown).toBeGreaterThan(500);
  } finally {
    await trial.end();
  }
});

it('is noticed when one does (so that the test above proves something)', async () => {
  // A hash of one field and no value, with a good checksum: HGETALL ends the server.
  const odd = Buffer.from('0d0e0e0000000a0000000100000161ff', 'hex');
  const trial = await Trial.begin([{ body: odd, version: 9 }]);
  try {
    jest.spyOn(trial as never, 'lookAt').mockImplementation(((source: Buffer) => source) as never);
    for (let round = 0; round < 50 && trial.tally.ended === 0; round++) await trial.run(SEED + round, 1);
    expect(trial.tally.ended).toBeGreaterThan(0);
  } finally {
    await trial.end();
  }
});
