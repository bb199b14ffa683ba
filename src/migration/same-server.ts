import { processesOf } from '../redis/merge-facts';
import type { ToldFacts } from './plan-facts';
import { nameOfSide } from './side-spec';

/** Whether both connections lead to one server. */
export function isSameServer({ request, source, target }: ToldFacts): boolean {
  const [nameOfSource, nameOfTarget] = [request.source, request.target].map((side) => nameOfSide(side).toUpperCase());
  const sameName = nameOfSource === nameOfTarget;
  const ofTarget = processesOf(target.runId);
  return sameName || processesOf(source.runId).some((process) => ofTarget.includes(process));
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
  const { replicationId } = source;
  if (replicationId === undefined || replicationId !== target.replicationId) return false;
  const twoMasters = source.role === 'master' && target.role === 'master';
  return !(twoMasters && source.runId !== '' && target.runId !== '');
}
