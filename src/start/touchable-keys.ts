import { framed, sourceSamples, targetSamples, type KeyFrame, type SampleKey } from '../migration/key-frames';
import type { ToldFacts } from '../migration/plan-facts';
import { commandsAsked } from '../migration/rights';
import type { MigrationRequest } from '../migration/request';
import { makeSelection } from '../migration/selection';
import { emptyPayload } from '../redis/payload-version';
import type { Command, RedisPort } from '../redis/redis-port';
import { mayTouch } from '../redis/rights';

/** Which keys the user of a side may touch, as far as a migration would. */
export interface Touchable {
  /** Those that it may not, as globs. */
  readonly refused: readonly string[];
  /** Around names of our own, where plain ones are not allowed; undefined where they are, or where none is. */
  readonly frame?: KeyFrame | undefined;
  readonly named: (name: Buffer) => Buffer;
}

/** Stands for all keys of a pattern. */
const FILLING = Buffer.from('keyferry:probe');
const NAMES_A_PAGE = '1000';

/** A source is only read. Where nothing is selected, what its user may touch shows in the names that it has. */
export async function touchOnSource(
  request: MigrationRequest,
  port: RedisPort,
  largest: RedisPort & { ready(): Promise<void> },
): Promise<Touchable> {
  const found = await touchable(port, sourceSamples(request, FILLING), (name) => [['EXISTS', name]]);
  if (request.select.match.length > 0 || found.refused.length === 0) return found;
  await largest.ready();
  const [reply] = await largest.pipeline([['SCAN', '0', 'COUNT', NAMES_A_PAGE]]);
  const names = Array.isArray(reply) && Array.isArray(reply[1]) ? reply[1].filter((name) => Buffer.isBuffer(name)) : [];
  const selection = makeSelection({ ...request.select, types: [] });
  const wanted = names.filter((name) => selection.wants(name, undefined));
  const allowed = await mayTouch(
    largest,
    wanted.map((name): Command => ['EXISTS', name]),
  );
  return allowed.includes(false) ? found : { ...found, refused: [] };
}

/** A target that is written to is tried with a payload that it does not take. */
export async function touchOnTarget(told: ToldFacts, port: RedisPort): Promise<Touchable> {
  const { request, choices } = told;
  const samples = targetSamples(
    request,
    choices.map(({ prefix }) => prefix),
    FILLING,
  );
  const writes = commandsAsked('target', told).includes('RESTORE');
  return await touchable(
    port,
    samples,
    (name) => [['EXISTS', name], ...(writes ? [['RESTORE', name, '1', emptyPayload(1)] as const] : [])],
    told.target.cluster,
  );
}

async function touchable(
  port: RedisPort,
  samples: readonly SampleKey[],
  calls: (name: Buffer) => readonly Command[],
  inCluster = false,
): Promise<Touchable> {
  const names = [FILLING, ...samples.map(({ name }) => name)];
  const asked = names.map(calls);
  const answers = await mayTouch(port, asked.flat());
  const each = asked[0]?.length ?? 1;
  const isAllowed = names.map((_, i) => !answers.slice(i * each, (i + 1) * each).includes(false));
  const refused = samples.filter((_, i) => isAllowed[i + 1] !== true).map(({ pattern }) => pattern);
  if (isAllowed[0] === true) return { refused, named: (name) => name };
  // In a cluster a temporary key must share the slot of the key that it becomes: by a tag of its own.
  const isUsable = ({ frame }: SampleKey) => frame !== undefined && !(inCluster && frame.before.includes('{'));
  const frame = samples.find((sample, i) => isAllowed[i + 1] === true && isUsable(sample))?.frame;
  return { refused, frame, named: (name) => framed(frame, name) };
}
