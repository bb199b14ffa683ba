import type { Apart } from '../redis/connections';
import { processesOf } from '../redis/merge-facts';
import { writesTarget } from './phases';
import type { Plan } from './plan';
import type { ToldFacts } from './plan-facts';
import type { MigrationRow } from './rows';
import { isServer, nameOfSide } from './side-spec';
import type { Mark } from './since';

/** Whether both connections lead to one server. */
export function isSameServer({ request, source, target }: ToldFacts): boolean {
  const [nameOfSource, nameOfTarget] = [request.source, request.target].map((side) => nameOfSide(side).toUpperCase());
  return nameOfSource === nameOfTarget || shareProcess(source, target);
}

function shareProcess(source: Pick<Mark, 'runId'>, target: Pick<Mark, 'runId'>): boolean {
  const ofTarget = processesOf(target.runId);
  return processesOf(source.runId).some((process) => ofTarget.includes(process));
}

/**
 * Whether what is written to one of two servers comes into the other. A replica has its master's replication id, through any
 * number of others between them. A replica that has never reached its master has one of its own, so that the address is looked
 * at as well, which may be another on its side. Two masters with one id are no such pair if both tell who they are: some
 * proxies give every server the same id.
 */
export function replicateEachOther(facts: ToldFacts): boolean {
  const { source, target, addresses } = facts;
  if (isSameServer(facts)) return false;
  if (addresses !== undefined) {
    if (source.masterAddress === addresses.target || target.masterAddress === addresses.source) return true;
  }
  return haveOneDataSet(source, target);
}

type ReplicationFacts = Pick<Mark, 'runId' | 'replicationId' | 'role'>;

function haveOneDataSet(source: ReplicationFacts, target: ReplicationFacts): boolean {
  const { replicationId } = source;
  if (replicationId === undefined || replicationId !== target.replicationId) return false;
  const twoMasters = source.role === 'master' && target.role === 'master';
  return !(twoMasters && source.runId !== '' && target.runId !== '');
}

/** The server that both sides lead to now, or lead to with its replica: what is written there would be taken for the source's. */
export class SidesMetError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SidesMetError';
  }
}

const END =
  'The migration was stopped, and nothing more is written. Give each side a name that does not move, and start a new migration.';

/** Why a migration stops where one of its connections has met a server of the other side. */
export const SAME_SERVER = `The source and the target lead to the same server now: a name that one of them is reached by has moved. ${END}`;
const ONE_DATA_SET = `The source and the target replicate each other now: one of them was made the other's replica, or a name that it is reached by has moved. ${END}`;

/** Why nothing more may be written with what both sides are now; undefined where they are apart, or were planned to be one. */
export function whySidesMet(
  plan: Pick<Plan, 'inPlace' | 'phases'>,
  source: ReplicationFacts,
  target: ReplicationFacts,
): string | undefined {
  if (plan.inPlace) return undefined;
  if (shareProcess(source, target)) return SAME_SERVER;
  return writesTarget(plan) && haveOneDataSet(source, target) ? ONE_DATA_SET : undefined;
}

/** What connections to a migration's target must not lead to: each process that its source has been. */
export function apartFromSource({ plan, course }: Pick<MigrationRow, 'plan' | 'course'>): Apart | undefined {
  const { source } = plan.request;
  if (plan.inPlace || !isServer(source)) return undefined;
  return { from: source, processes: course.met.source.flatMap(processesOf) };
}
