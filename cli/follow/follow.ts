import type { MigrationReport } from '../../src/migration/report';
import type { Answer } from '../client/api-client';
import { mayPass } from '../client/api-error';
import type { Display } from '../display/display';
import type { Interruption } from '../interruption';
import { isEnded } from '../outcome';
import type { Service } from '../service/service';
import { patiently } from './patient';

/** A small migration is over before it is asked a third time: at first sooner, then each time half as soon. */
const FIRST_LOCAL_POLL_MS = 40;
const LOCAL_POLL_MS = 300;
const DEPLOYED_POLL_MS = 2_000;
const LOCAL_PATIENCE_MS = 15_000;
const DEPLOYED_PATIENCE_MS = 5 * 60_000;

/**
 * Follows a migration to its end and shows how far it is. Answers that do not come are asked for again.
 * @param onReport told of every document
 * @returns its last document
 * @throws ApiError, NoAnswerError, InterruptedError
 */
export async function follow(
  id: string,
  service: Service,
  display: Display,
  interruption: Interruption,
  onReport: (report: MigrationReport) => Promise<void> = () => Promise.resolve(),
): Promise<MigrationReport> {
  const deployed = service.place === 'deployed';
  try {
    for (let polls = 0; ; polls++) {
      const { body: report, retryAfterMs } = await patientlyOf(service, () => ask(id, service), {
        display,
        interruption,
      });
      await onReport(report);
      if (isEnded(report.state)) return report;
      display.migration(report);
      const localMs = Math.min(LOCAL_POLL_MS, FIRST_LOCAL_POLL_MS * 2 ** polls);
      await interruption.sleep(deployed ? Math.max(DEPLOYED_POLL_MS, retryAfterMs ?? 0) : localMs);
    }
  } finally {
    display.stop();
  }
}

/** Asks an app again where an answer does not come, for as long as that may pass. @throws what `call` throws, InterruptedError */
export async function patientlyOf<T>(
  { place }: Service,
  call: () => Promise<T>,
  { display, interruption }: { readonly display: Display; readonly interruption: Interruption },
): Promise<T> {
  return await patiently(call, {
    patienceMs: place === 'deployed' ? DEPLOYED_PATIENCE_MS : LOCAL_PATIENCE_MS,
    interruption,
    onTrouble: (error) => {
      display.note(`No answer at the moment, trying again: ${error.message}`);
    },
  });
}

/**
 * One migration's document, also from an app in another process that has just ended with it.
 * @throws ApiError, NoAnswerError, TroubleError
 */
export async function ask(id: string, service: Service): Promise<Answer<MigrationReport>> {
  try {
    return await service.client.get(id);
  } catch (error) {
    const body = mayPass(error) ? await service.lastWords?.() : undefined;
    if (body === undefined) throw error;
    return { body, retryAfterMs: undefined };
  }
}
