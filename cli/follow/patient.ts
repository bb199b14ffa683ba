import { mayPass } from '../client/api-error';
import type { Interruption } from '../interruption';

const FIRST_MS = 500;
const LONGEST_MS = 10_000;

/**
 * Asks, and asks again for as long as `patienceMs` where the trouble may pass.
 * @param onTrouble told once, when the first answer did not come
 * @throws the last error, or InterruptedError
 */
export async function patiently<T>(
  ask: () => Promise<T>,
  options: {
    readonly patienceMs: number;
    readonly interruption: Interruption;
    readonly onTrouble?: (error: Error) => void;
  },
): Promise<T> {
  const until = Date.now() + options.patienceMs;
  for (let wait = FIRST_MS; ; wait = Math.min(wait * 2, LONGEST_MS)) {
    try {
      return await options.interruption.race(ask());
    } catch (error) {
      if (!mayPass(error) || Date.now() + wait > until) throw error;
      if (wait === FIRST_MS && error instanceof Error) options.onTrouble?.(error);
      await options.interruption.sleep(wait);
    }
  }
}
