import { z } from 'zod';
import type { App } from '../app/app';
import { inPieces } from '../basics/in-pieces';
import type { Converter } from '../convert/converter';
import { makeConverters } from '../convert/make-converters';
import { makeNames } from '../convert/names';
import { addCounts, noCounts } from '../migration/counts';
import { selectionOf } from '../migration/selection';
import { FINDINGS_PER_RANGE, type KeyFinding } from '../migration/rows';
import type { RangeJob } from '../range/range-job';
import { fileSidesOf } from '../range/file-origin';
import { attemptOn, compareClocks, databaseOf, rangeSides, type SidesApp } from '../range/range-sides';
import { roundsOfNames, roundsOfValues, type Look, type LooksMemory, type Wrong } from '../range/suspects';
import { walkRange, type Outcome, type WalkApp } from '../range/walk-range';
import type { ClockOffset } from '../transfer/clock-offset';
import type { ReadKeys } from '../transfer/page-reader';
import type { Part } from '../transfer/range-pages';
import { absentFrom, type Attempt, type Origin, type Side } from '../transfer/side';
import { lookAtClaimed } from './claimed-keys';
import { comparisonOf, depthOf } from './comparison-of';
import { missing, MISSING, type Difference } from './difference';
import { examine, type Comparison, type Pair } from './examine';
import { FileValues } from './file-values';
import { lookAtPage, lookAtPresent, NamesFirst } from './first-look';
import { keyFacts } from './key-facts';
import type { Overview } from './overview';
import { withOverviews } from './overview-reader';
import { tellDifferences } from './tell-differences';

/** Keys that are examined together. */
const EXAMINED_AT_ONCE = 500;

/** How often a key was looked at, as it is noted; made once, since it is asked for every suspect. */
const lookedAt = z.number().int().min(1).optional().catch(undefined);

type CompareApp = SidesApp & WalkApp & Pick<App, 'budget' | 'fileTables' | 'ledger' | 'settings'>;

/** A key that may differ. */
type Suspect = Pair & {
  readonly claimed: boolean;
  /** The target did not have it at all when it was looked at first. */
  readonly missing: boolean;
};

/** Where so many keys of a range are missing and nothing else is wrong, they are not on their way, and their looks are as for names. */
const MANY = 1_000;

function everyMs(suspects: readonly Suspect[]): number {
  const areMissing = suspects.length >= MANY && suspects.every(({ missing }) => missing);
  return areMissing ? roundsOfNames.everyMs : roundsOfValues.everyMs;
}

/**
 * Compares the source's keys of a range with the target: those that are missing there or different become findings. What
 * seems different is looked at again twice, some seconds apart, so that keys in flight settle.
 */
export async function compareRange(job: RangeJob, app: CompareApp): Promise<void> {
  const { plan } = job.migration;
  const converters = makeConverters(plan);
  const { sides, clock, onBoth, values } = await comparedSides(job, app, converters);
  const comparison = comparisonOf(job, app, sides, clock, depthOf(job.migration));
  const selection = selectionOf(plan, converters);
  const names = makeNames(plan, databaseOf(job), converters);
  const pairsOf = async (page: ReadKeys): Promise<Pair[]> =>
    (await values?.pairs(page, names)) ?? page.keys.map((key) => ({ source: key, target: names.onTarget(key) }));

  const claimedContext = {
    ...comparison,
    converters,
    names,
    onBoth,
  };

  const namesFirst = new NamesFirst();

  const looks = job.place.notes('looks');
  const memory: LooksMemory<Suspect> = {
    get: ({ source }) => lookedAt.parse(looks.get(source)),
    set: ({ source }, number) => {
      // Elsewhere one message's time is enough for all looks.
      if (number === undefined || job.isSlow) looks.set(source, number);
    },
  };

  const work = async ({ page, seen, counts }: Part<Overview>): Promise<Outcome<Suspect>> => {
    const all = (await pairsOf(page)).map((pair): Suspect => ({
      ...pair,
      claimed: names.claims(pair.source),
      missing: false,
    }));
    const [only, ...others] = all;
    // What was a suspect in a message before is one still.
    if (only !== undefined && others.length === 0 && memory.get(only) !== undefined)
      return { counts, suspects: [only] };
    const ofConverters = all.filter((suspect) => suspect.claimed);
    const claimed = await lookAtClaimed(sourcesOf(ofConverters), claimedContext);
    const pairs = [...all.filter((suspect) => !suspect.claimed), ...those(ofConverters, claimed.plain)];
    const look =
      seen === undefined && namesFirst.areAsked
        ? await lookAtPresent(pairs, comparison)
        : await lookAtPage(pairs, ofConverters.length === 0 ? seen : undefined, comparison);
    namesFirst.note(look.missing.length, pairs.length);
    for (const place of [...look.same, ...look.gone]) {
      const pair = pairs[place];
      if (pair !== undefined) values?.forget(pair.source);
    }
    const suspectsAt = (places: readonly number[], missing: boolean) =>
      places.flatMap((place) => pairs[place] ?? []).map((pair): Suspect => ({ ...pair, claimed: false, missing }));
    return {
      counts: addCounts(addCounts(noCounts, counts), {
        same: look.same.length + claimed.same,
        expired: look.gone.length + claimed.gone,
      }),
      suspects: [
        ...suspectsAt(look.missing, true),
        ...suspectsAt([...look.otherExpiry, ...look.different], false),
        ...those(
          ofConverters,
          claimed.wrong.map(({ key }) => key),
        ),
      ],
    };
  };

  const look = async (suspects: readonly Suspect[]): Promise<Look<Suspect>> => {
    const ofConverters = suspects.filter((suspect) => suspect.claimed);
    const claimed = await lookAtClaimed(sourcesOf(ofConverters), claimedContext);
    const others = suspects.filter((suspect) => !suspect.claimed);
    const { lacking, rest } = await stillLacking(others, sides.target);
    const plain = await examined([...rest, ...those(ofConverters, claimed.plain)], comparison);
    const byKey = new Map(ofConverters.map((suspect) => [suspect.source, suspect]));
    return {
      counts: addCounts(addCounts(noCounts, plain.counts), { same: claimed.same, expired: claimed.gone }),
      wrong: [
        ...lacking.map((suspect) => ({ suspect, finding: new DifferenceFinding(suspect.source, MISSING) })),
        ...plain.wrong,
        ...claimed.wrong.flatMap((finding) => {
          const suspect = byKey.get(finding.key);
          return suspect === undefined ? [] : [{ suspect, finding }];
        }),
      ],
    };
  };

  /** Of keys that the target lacks: what the source has, as far as their findings are kept, and which are gone from there too. */
  const end = async (wrong: readonly KeyFinding[]) => {
    const room = Math.max(0, FINDINGS_PER_RANGE - job.row.counts.findings);
    const bare = wrong.filter(isBare);
    const kept = wrong.slice(0, room).filter(isBare);
    const beyond = bare.slice(kept.length);
    const { source } = sides;
    const facts = await source.attempt(() => keyFacts(source, sourcesOfFindings(kept)));
    const known = new Map(kept.map((finding, i) => [finding, facts[i]]));
    const absent = await absentAmong(source, sourcesOfFindings(beyond));
    const without = new Set(beyond.filter((_, i) => absent.has(i)));
    const left = wrong.flatMap((finding) => {
      if (without.has(finding)) return [];
      if (!known.has(finding)) return [finding];
      const fact = known.get(finding);
      return fact === undefined ? [] : [new DifferenceFinding(finding.key, missing(fact))];
    });
    const told = await tellDifferences(left);
    return { ...told, counts: { ...told.counts, expired: wrong.length - left.length } };
  };

  await walkRange(
    job,
    app,
    withOverviews(sides.source, sides.target, comparison.depth, selection, () => namesFirst.areAsked),
    {
      selection,
      converters: [],
      wantsValues: () => values !== undefined,
      work,
      secondLook: { rounds: roundsOfValues, everyMs, memory, look, end },
    },
  );
}

/** What is compared: of a file its values come with its pages, a server is asked for them. */
interface Compared {
  readonly sides: { readonly source: Origin; readonly target: Side };
  readonly clock: ClockOffset;
  readonly onBoth: Attempt;
  readonly values: FileValues | undefined;
}

async function comparedSides(job: RangeJob, app: CompareApp, converters: readonly Converter[]): Promise<Compared> {
  const file = await fileSidesOf(job, app, converters, { endsBehindLarge: true });
  if (file !== undefined) {
    const { source, target, clock } = file;
    const values = new FileValues(source, () => clock.targetNow(), app, job, job.place.notes('print'));
    return { sides: { source, target }, clock, onBoth: attemptOn(job, target.guard), values };
  }
  const sides = rangeSides(job, app);
  const onBoth = attemptOn(job, sides.source.guard, sides.target.guard);
  return { sides, clock: await compareClocks(job, sides, app), onBoth, values: undefined };
}

function sourcesOf(pairs: readonly Pair[]): Buffer[] {
  return pairs.map(({ source }) => source);
}

function sourcesOfFindings(findings: readonly KeyFinding[]): Buffer[] {
  return findings.map(({ key }) => key);
}

/** Of those that the target lacked, and nobody need be asked what they are, those that it lacks still. */
async function stillLacking(suspects: readonly Suspect[], target: Side) {
  const isAsked = (suspect: Suspect) => suspect.missing && suspect.known === undefined;
  const asked = suspects.filter(isAsked);
  const rest = suspects.filter((suspect) => !isAsked(suspect));
  const absent = await absentAmong(
    target,
    asked.map((pair) => pair.target),
  );
  rest.push(...asked.filter((_, i) => !absent.has(i)));
  return { lacking: asked.filter((_, i) => absent.has(i)), rest };
}

/** The places of those keys that a side does not have, however many are asked for. */
async function absentAmong(side: Side, keys: readonly Buffer[]): Promise<ReadonlySet<number>> {
  const absent = new Set<number>();
  for (const [piece, some] of inPieces(keys, EXAMINED_AT_ONCE).entries()) {
    for (const place of await absentFrom(side, some)) absent.add(piece * EXAMINED_AT_ONCE + place);
  }
  return absent;
}

/** Those of suspects that are of these keys. */
function those(suspects: readonly Suspect[], keys: readonly Buffer[]): Suspect[] {
  const wanted = new Set(keys);
  return suspects.filter(({ source }) => wanted.has(source));
}

/** Its words are made where they are read. */
class DifferenceFinding implements KeyFinding {
  constructor(
    readonly key: Buffer,
    readonly difference: Difference,
  ) {}

  get code(): Difference['code'] {
    return this.difference.code;
  }

  get message(): string {
    return this.difference.message;
  }
}

/** Whether nobody was asked yet what the source has of it. */
function isBare(finding: KeyFinding): boolean {
  return finding instanceof DifferenceFinding && finding.difference === MISSING;
}

async function examined(suspects: readonly Suspect[], comparison: Comparison): Promise<Look<Suspect>> {
  const wrong: Wrong<Suspect>[] = [];
  const counts = { same: 0, expired: 0 };
  for (const some of inPieces(suspects, EXAMINED_AT_ONCE)) {
    const results = await examine(some, comparison);
    some.forEach((suspect, i) => {
      const result = results[i];
      if (result === 'same') counts.same++;
      else if (result === 'gone') counts.expired++;
      else if (result !== undefined) wrong.push({ suspect, finding: new DifferenceFinding(suspect.source, result) });
    });
  }
  return { wrong, counts };
}
