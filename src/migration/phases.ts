import type { Counts } from './counts';
import type { MigrationRequest } from './request';
import { fileOf } from './side-spec';

export const sideNames = ['source', 'target'] as const;
export type SideName = (typeof sideNames)[number];

/**
 * How the keys of the target are looked at: whether they are there; their types, lengths and expiries too; or their values as
 * well.
 */
export const lookDepths = ['existence', 'quick', 'values'] as const;
export type LookDepth = (typeof lookDepths)[number];

/**
 * What is done with the keys that a phase's walk brings. To follow is no walk: it waits for whoever follows the source. Nor is to read a
 * file: it finds out what there is to be walked.
 */
export const works = [
  'read',
  'copy',
  'survey',
  'compare',
  'sync',
  'extra',
  'look',
  'libraries',
  'seal',
  'follow',
] as const;
export type Work = (typeof works)[number];

/**
 * Until when a phase lasts that walks nothing: that all changes are told; that all that changed during a pass is applied once more;
 * that a cut-over is asked for; that it is proved.
 */
export const untils = ['listening', 'settled', 'asked', 'proved'] as const;
export type Until = (typeof untils)[number];

/**
 * When a phase is begun, once the one before it is done. `mayHaveExtra`: the target may have keys that no walk has met.
 * `gap`: changes of the source may have been missed since the last pass over it began. `inDoubt`: the request asks for it, the target may have lost keys, or, with `byNumbers`, the numbers of keys leave a doubt.
 */
export type When =
  | { readonly kind: 'always' | 'mayHaveExtra' | 'gap' }
  | {
      readonly kind: 'inDoubt';
      /** How closely it looks where the request asks for it. */
      readonly asked?: LookDepth | undefined;
      /** How closely where the target may have other data than what was written. */
      readonly otherData: LookDepth;
      readonly byNumbers: boolean;
    };

/**
 * One walk over the keys of a side, as the plan has it. A phase that stands in a plan twice is walked twice: its second pass has
 * the same range rows, which have done nothing yet then.
 */
export interface Phase {
  /** A word of lower-case letters: in the names of its range rows, in reports and metrics. */
  readonly name: string;
  /** Whose keys are walked, and whose process their cursors belong to. */
  readonly side: SideName;
  readonly work: Work;
  readonly when: When;
  /** Of one that walks nothing. */
  readonly until?: Until | undefined;
  /** The migration's state meanwhile. */
  readonly state: 'running' | 'verifying';
  /** Which numbers of its rows count for the migration. */
  readonly counts: 'all' | readonly (keyof Counts)[];
  /** Every key of the source is looked at on the target, so that a verdict can rest on this walk alone. */
  readonly proves: boolean;
  /** How closely keys are compared, where that does not show only when the phase is begun. */
  readonly depth?: LookDepth | undefined;
}

/** Which phase of a plan: its name, and how often a phase of this name was walked before. */
export interface PhasePlace {
  readonly phase: string;
  readonly pass: number;
}

/** The same where the pass may be left out: the first. */
export interface NamedPhase {
  readonly phase: string;
  readonly pass?: number | undefined;
}

/** What the ranges of a later phase find counts; their keys were counted before. */
const FOUND = ['missing', 'different', 'extra', 'deleted', 'findings'] as const;

/**
 * The phases that a request leads to, in their order.
 * @param walksTarget whether the target is walked for keys that the source does not have
 * @param hasLibraries whether function libraries go to the target
 */
export function makePhases(
  request: Pick<MigrationRequest, 'mode' | 'verify' | 'onConflict' | 'source' | 'target' | 'deleteExtra'>,
  walksTarget: boolean,
  hasLibraries = false,
): readonly Phase[] {
  const { mode } = request;
  const walk = { side: 'source', when: { kind: 'always' }, state: 'running', counts: 'all', proves: false } as const;
  const extra = (kind: 'always' | 'mayHaveExtra' | 'gap'): readonly Phase[] =>
    walksTarget
      ? [
          {
            name: 'extra',
            side: 'target',
            work: 'extra',
            when: { kind },
            state: 'verifying',
            counts: FOUND,
            proves: false,
          },
        ]
      : [];
  switch (mode) {
    case 'copy':
      return [
        { ...walk, name: 'copy', work: 'copy' },
        ...(hasLibraries ? [libraries] : []),
        fileOf(request.target) === undefined ? look(request) : seal,
      ];
    case 'sync':
      return [{ ...walk, name: 'sync', work: 'sync' }, ...extra('always'), look(request)];
    case 'compare':
      return [
        {
          ...walk,
          name: 'compare',
          work: 'compare',
          proves: true,
          depth: request.verify === 'quick' ? 'quick' : 'values',
        },
        ...extra('mayHaveExtra'),
      ];
    case 'live':
      return [
        station('listen', 'listening', 'running'),
        // What the target has already stays as it is.
        { ...walk, name: 'copy', work: request.deleteExtra ? 'sync' : 'copy' },
        // Of the same name: what an earlier pass has counted counts no more.
        { ...walk, name: 'copy', work: 'sync', when: { kind: 'gap' } },
        // What was deleted in a gap no feed has told.
        ...extra('gap'),
        station('settle', 'settled', 'running'),
        station('live', 'asked', 'running'),
        station('cutover', 'proved', 'verifying'),
        look(request),
      ];
    case 'dry-run':
      return [{ ...walk, name: 'survey', work: 'survey' }];
  }
}

/** A file is read once, from its first byte to its last, before it is planned what becomes of what is in it. */
export const readPhase: Phase = {
  name: 'read',
  side: 'source',
  work: 'read',
  when: { kind: 'always' },
  state: 'running',
  counts: [],
  proves: false,
};

/** What was written is put together as a file. */
const seal: Phase = {
  name: 'seal',
  side: 'target',
  work: 'seal',
  when: { kind: 'always' },
  state: 'verifying',
  counts: [],
  proves: false,
};

/** The function libraries of a file are loaded. */
const libraries: Phase = {
  name: 'libraries',
  side: 'target',
  work: 'libraries',
  when: { kind: 'always' },
  state: 'running',
  counts: ['findings'],
  proves: false,
};

/** A phase that walks nothing. */
function station(name: string, until: Until, state: Phase['state']): Phase {
  return { name, side: 'source', work: 'follow', when: { kind: 'always' }, until, state, counts: [], proves: false };
}

/** The second look, over the source's keys, at what the target has. */
function look({ mode, verify, onConflict }: Pick<MigrationRequest, 'mode' | 'verify' | 'onConflict'>): Phase {
  const asked = verify === 'full' ? 'values' : verify === 'quick' ? 'quick' : undefined;
  return {
    name: 'look',
    side: 'source',
    work: 'look',
    when: {
      kind: 'inDoubt',
      asked,
      // Where keys that the target had were left as they are, their values say nothing of what was written.
      otherData: onConflict === 'skip' ? (asked ?? 'existence') : 'values',
      byNumbers: mode === 'copy' && verify === 'count',
    },
    state: 'verifying',
    counts: FOUND,
    proves: true,
  };
}

/** The same with the names that versions without phases in the plan gave: a mode's own walk was called "copy" in all of them. */
export function phasesWithFormerNames(...request: Parameters<typeof makePhases>): readonly Phase[] {
  const [first, ...others] = makePhases(...request);
  return first === undefined ? [] : [{ ...first, name: 'copy' }, ...others];
}

interface HasPhases {
  readonly phases: readonly Phase[];
}

/** Where in a plan a phase stands. @throws Error for one that the plan does not have */
export function placeInPlan({ phases }: HasPhases, { phase, pass = 0 }: NamedPhase): number {
  let passes = -1;
  const place = phases.findIndex(({ name }) => name === phase && ++passes === pass);
  if (place < 0) throw new Error(`The plan has no phase "${phase}" with a pass ${pass}.`);
  return place;
}

/** The phase at a place of a plan, by its name and pass. @throws Error where there is none */
export function phaseAt({ phases }: HasPhases, place: number): PhasePlace {
  const found = phases[place];
  if (found === undefined) throw new Error(`The plan has no phase at ${place}.`);
  return { phase: found.name, pass: phases.slice(0, place).filter(({ name }) => name === found.name).length };
}

/** @throws Error for a phase that the plan does not have */
export function phaseOf(plan: HasPhases, named: NamedPhase): Phase {
  const found = plan.phases[placeInPlan(plan, named)];
  if (found === undefined) throw new Error(`The plan has no phase "${named.phase}".`);
  return found;
}

/** What a migration waits for in a phase that walks nothing; undefined in a walk. */
export function stationOf(migration: PhasePlace & { readonly plan: HasPhases }): Until | undefined {
  return phaseOf(migration.plan, migration).until;
}

/** Whether a phase is a walk over the source. */
export function walksSource(phase: Phase | undefined): boolean {
  return phase?.side === 'source' && phase.until === undefined && phase.work !== 'read';
}

/** Whether a plan's source is followed. */
export function isFollowed({ phases }: HasPhases): boolean {
  return phases.some(({ work }) => work === 'follow');
}

/** Whether a phase brings all keys of the source to the target. */
export function isPass({ work }: Phase): boolean {
  return work === 'copy' || work === 'sync';
}

/** Whether a plan has a phase that brings keys to the target. */
export function writesTarget({ phases }: HasPhases): boolean {
  return phases.some(isPass);
}

/** A walk that has begun: of the phase at this place of the plan, and in which epoch. */
export interface Walk {
  readonly place: number;
  readonly epoch: number;
}

/**
 * The walks whose results count once another one has begun, in the order of the plan: those before it. What was found before in
 * its own range rows, or in a phase behind it, counts no more.
 */
export function withWalk({ phases }: HasPhases, walks: readonly Walk[], begun: Walk): readonly Walk[] {
  const name = phases[begun.place]?.name;
  const before = walks.filter(({ place }) => place < begun.place && phases[place]?.name !== name);
  return [...before, begun];
}

/** The walks whose results count for a migration, in the order of the plan; the last is the current one. */
export function walksOf({
  plan,
  epoch,
  course,
  ...current
}: PhasePlace & {
  readonly plan: HasPhases;
  readonly epoch: number;
  readonly course: { readonly walks: readonly Walk[] };
}): readonly Walk[] {
  return withWalk(plan, course.walks, { place: placeInPlan(plan, current), epoch });
}
