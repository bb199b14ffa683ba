import { isAtLeast } from '../payload/payload-server';
import type { ServerFacts } from '../redis/probe';
import type { Plan } from './plan';
import type { RightFacts } from './plan-facts';
import type { MigrationRequest } from './request';
import { fileOf, isServer } from './side-spec';

/** Whether function libraries of a file are to go to the target: those of a part of the keys are nobody's. */
export function asksForLibraries(
  { source, target, mode, select }: Pick<MigrationRequest, 'source' | 'target' | 'mode' | 'select'>,
  { file }: Pick<ServerFacts, 'file'>,
): boolean {
  const goes = mode === 'copy' || mode === 'dry-run';
  return goes && fileOf(source) !== undefined && isServer(target) && count(file) > 0 && !isPart(select);
}

/** Whether the libraries of the file are restored. */
export function restoresLibraries(facts: RightFacts): boolean {
  const { request, source, target, refused } = facts;
  const mayLoad = !LOADING.some((command) => refused.target.includes(command));
  return request.mode === 'copy' && asksForLibraries(request, source) && mayLoad && knowsLibraries(target);
}

/** How many function libraries of the source a copy would leave behind, as far as rights do not stand in its way. */
export function librariesLeft({ request, source, target }: Pick<Plan, 'request' | 'source' | 'target'>): number {
  return asksForLibraries(request, source) && knowsLibraries(target) ? 0 : source.abilities.functions;
}

/** Why function libraries of a file are not restored, where no missing right is the reason. */
export function warningsOfLibraries({ request, source, target }: RightFacts): readonly string[] {
  const { file } = source;
  const writes = isServer(request.target) && request.mode !== 'compare';
  if (!writes || count(file) === 0) return [];
  const told = (why: string) => [`${count(file)} function libraries in the file are not restored: ${why}.`];
  if (isPart(request.select)) return told('"select" asks for a part of the keys');
  if (!asksForLibraries(request, source)) return told(`the mode ${request.mode} is for keys`);
  if (!knowsLibraries(target)) return told(`the target (${target.version}) knows none, as servers do from 7.0 on`);
  return [];
}

const LOADING = ['FUNCTION LIST', 'FUNCTION LOAD'] as const;

function count(file: ServerFacts['file']): number {
  return file?.functions ?? 0;
}

function isPart(select: MigrationRequest['select']): boolean {
  return select.match.length > 0 || select.exclude.length > 0 || select.types.length > 0;
}

function knowsLibraries(target: Pick<ServerFacts, 'software' | 'version'>): boolean {
  return isAtLeast(target, 7, 0);
}
