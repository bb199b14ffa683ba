import { Dice } from '../torture/dice';
import { byteEdges } from './bytes';
import { documentEdges } from './documents';
import { SECRET, type Edge } from './edge';
import { textEdges } from './texts';

export const edges: readonly Edge[] = [...documentEdges, ...textEdges, ...byteEdges];

/** An input after which something was wrong, to be had again by seed, edge and round. */
export interface Fault {
  readonly edge: string;
  readonly round: number;
  readonly what: string;
  readonly input: string;
}

export interface FuzzTally {
  readonly edge: string;
  taken: number;
  refused: number;
  /** Processor time of the process, ms. */
  slowestMs: number;
}

/** Which inputs, and who is told. */
export interface Exercise {
  readonly seed: number;
  readonly from: number;
  readonly rounds: number;
  /** The name of one edge; undefined for all. */
  readonly only?: string | undefined;
  /** Before each input. */
  readonly onPlace?: (edge: number, round: number) => void;
  readonly onFault: (fault: Fault) => void;
}

/** One input must not hold up a server for long. */
const SLOW_MS = 1_000;

/** Gives inputs of each round to each edge. @throws what an edge makes of its own samples: they must be taken */
export function exercise({ seed, from, rounds, only, onPlace, onFault }: Exercise): FuzzTally[] {
  const runs = edges
    .map((edge, index) => ({ edge, index, tally: { edge: edge.name, taken: 0, refused: 0, slowestMs: 0 } }))
    .filter(({ edge }) => only === undefined || edge.name === only);
  // Otherwise hardly anything would get further than the first look at it.
  for (const { edge } of runs) for (const sample of edge.samples) edge.take(sample);
  const dice = new Dice(0);
  for (let round = from; round < from + rounds; round++) {
    for (const { edge, index, tally } of runs) {
      onPlace?.(index, round);
      dice.restart(seed + index, round);
      const input = inputOf(edge, dice);
      const what = tried(edge, input, tally);
      if (what !== undefined) onFault({ edge: edge.name, round, what, input: shown(input) });
    }
  }
  return runs.map(({ tally }) => tally);
}

/** What is wrong with how an edge deals with an input; undefined where nothing is. */
function tried(edge: Edge, input: unknown, tally: FuzzTally): string | undefined {
  const before = process.cpuUsage();
  let what: string | undefined;
  try {
    edge.take(input);
    tally.taken++;
  } catch (error) {
    tally.refused++;
    what = wrongOf(error, edge);
  }
  const { user, system } = process.cpuUsage(before);
  const took = (user + system) / 1_000;
  tally.slowestMs = Math.max(tally.slowestMs, took);
  return what ?? (took > SLOW_MS ? `took ${took.toFixed(0)} ms` : undefined);
}

function inputOf({ samples, change }: Edge, dice: Dice): unknown {
  const pick = () => samples[dice.next() % samples.length];
  return change(pick(), pick(), dice);
}

/** What is wrong with how an error refuses an input; undefined where nothing is. */
function wrongOf(error: unknown, { refusals }: Edge): string | undefined {
  if (!(error instanceof Error)) return `threw ${String(error)}`;
  if (!refusals.includes(error.name)) return error.stack ?? error.message;
  if (error.message.trim() === '') return `a ${error.name} without a message`;
  return error.message.includes(SECRET) ? `tells a secret: ${error.message}` : undefined;
}

function shown(input: unknown): string {
  const text = Buffer.isBuffer(input)
    ? input.toString('hex')
    : typeof input === 'string'
      ? input
      : JSON.stringify(input);
  return text.slice(0, 2_000);
}
