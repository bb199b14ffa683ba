import type { RightFacts, ToldFacts, TriedFacts } from './plan-facts';
import { RULES_OF_RIGHTS, RULES_OF_TOLD, RULES_OF_TRIED, type Refusal, type Rule } from './refusal-rules';
import { refusalCodes, type RefusalCode } from './refusal-codes';
import type { MigrationRequest, RequestMistake } from './request';

/** A migration that must not start as asked; the message says what to do. */
export class PlanRefusedError extends Error {
  /** @param details what else speaks against it, by the request's field */
  constructor(
    readonly code: RefusalCode,
    message: string,
    readonly details: readonly RequestMistake[] = [],
  ) {
    super(message);
    this.name = 'PlanRefusedError';
  }

  get status(): 400 | 409 {
    return refusalCodes[this.code].status;
  }
}

/** What speaks against a migration by what both sides told, the most useful first. */
export function refusalsOfTold(facts: ToldFacts): Refusal[] {
  return refusalsBy(RULES_OF_TOLD, facts);
}

/** As `refusalsOfTold`, also by what both users may do. */
export function refusalsOfRights(facts: RightFacts): Refusal[] {
  return [...refusalsOfTold(facts), ...refusalsBy(RULES_OF_RIGHTS, facts)];
}

/** All that speaks against a migration, the most useful first. */
export function refusalsOf(facts: TriedFacts): Refusal[] {
  return [...refusalsOfRights(facts), ...refusalsBy(RULES_OF_TRIED, facts)];
}

function refusalsBy<Facts>(rules: readonly Rule<Facts>[], facts: Facts): Refusal[] {
  return rules.flatMap(({ reasons, ...rule }) => reasons(facts).map((message) => ({ ...rule, message })));
}

/** A dry run goes on with what it can tell; all else is refused. @throws PlanRefusedError for the first, with the others */
export function throwRefusals({ mode }: Pick<MigrationRequest, 'mode'>, refusals: readonly Refusal[]): void {
  const [first, ...others] = refusals.filter(({ inDryRun }) => mode !== 'dry-run' || inDryRun === 'refused');
  if (first === undefined) return;
  throw new PlanRefusedError(
    first.code,
    first.message,
    others.map(({ path, message }) => ({ path, message })),
  );
}
