import type { Command, Reply } from '../../../redis/redis-port';
import { isRedisError } from '../../../redis/errors';
import { formatId, idAfter, parseId, ZERO_ID, type StreamId } from '../../../payload/stream-id';
import { asBytes, asList, asNumber, readSource } from '../replies';
import type { BodyContext } from '../types';
import type { GroupInfo } from './stream-info';

/** Asked for at once. */
const PENDING = 1_000;

/**
 * Whether both sides have the same pending in these groups, with the same consumers and as often delivered: what no count of a group tells.
 * True also where the target refuses to say.
 */
export async function pendingAgree(context: BodyContext, groups: readonly GroupInfo[]): Promise<boolean> {
  const { source, sourceKey, temporary } = context;
  for (const { name } of groups.filter(({ pending }) => pending > 0)) {
    for (let start: StreamId | undefined = ZERO_ID; start !== undefined;) {
      await temporary.keep();
      context.step();
      const from = formatId(start);
      const ask = (key: Buffer): Command => ['XPENDING', key, name, from, '+', String(PENDING)];
      const [[here], [there]] = await Promise.all([
        readSource(source, [ask(sourceKey)]),
        temporary.ask([ask(temporary.name)]).catch(refusal),
      ]);
      if (there === 'refused') return true;
      const [ours, theirs] = [asList(here), asList(there)];
      if (textOf(ours) !== textOf(theirs)) return false;
      const last = ours.at(-1);
      start =
        last === undefined || ours.length < PENDING
          ? undefined
          : idAfter(parseId(asBytes(asList(last)[0]).toString('latin1')));
    }
  }
  return true;
}

/** What a copy does not need and may not do is no reason not to copy. */
function refusal(error: unknown): ['refused'] {
  if (isRedisError(error, 'noRight', 'unknownCommand')) return ['refused'];
  throw error;
}

function textOf(page: readonly Reply[]): string {
  return JSON.stringify(
    page.map((reply) => {
      const [id, consumer, , times] = asList(reply);
      return [asBytes(id).toString('latin1'), asBytes(consumer).toString('base64'), asNumber(times)];
    }),
  );
}
