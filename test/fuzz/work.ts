import { parentPort, workerData } from 'node:worker_threads';
import { exercise, type Exercise } from './exercise';

/** What the worker is told, and where it says which input it is at. */
export interface FuzzWork extends Pick<Exercise, 'seed' | 'from' | 'rounds' | 'only'> {
  readonly place: SharedArrayBuffer;
}

const { place, ...work } = workerData as FuzzWork;
const at = new Int32Array(place);
Error.stackTraceLimit = 6;
const tallies = exercise({
  ...work,
  onPlace: (edge, round) => {
    at[0] = edge;
    at[1] = round;
  },
  onFault: (fault) => parentPort?.postMessage(fault),
});
parentPort?.postMessage(tallies);
