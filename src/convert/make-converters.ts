import type { Plan } from '../migration/plan';
import { makeSelection, type Selection } from '../migration/selection';
import { SessionConverter } from './aspnet-session/session-converter';
import type { Converter } from './converter';

/** Sessions that one script reads, or writes, where the server lets a script touch any keys: about 2 ms for ordinary ones. */
const READ_AT_ONCE = 64;
const WRITTEN_AT_ONCE = 128;

/** The converters that a plan asks for. A new one is a folder here, an option in the request's schema, and a line below. */
export function makeConverters(plan: Plan): Converter[] {
  const { source, target, inPlace } = plan;
  return plan.request.convert.map(
    (options) =>
      new SessionConverter(options, {
        inPlace,
        sourceAtOnce: source.abilities.scripts ? READ_AT_ONCE : 1,
        targetAtOnce: target.abilities.scripts ? WRITTEN_AT_ONCE : 1,
        memoryUsage: source.abilities.memoryUsage,
      }),
  );
}

/** Which keys a migration touches. In place there is nothing to copy: only what a converter claims. */
export function selectionOf(plan: Plan, converters: readonly Converter[]): Selection {
  const selection = makeSelection(plan.request.select);
  if (!plan.inPlace) return selection;
  return {
    ...selection,
    all: false,
    wants: (key, type) => selection.wants(key, type) && converters.some((converter) => converter.claims(key)),
  };
}
