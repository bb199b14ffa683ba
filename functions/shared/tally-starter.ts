import type { InvocationContext } from '@azure/functions';
import * as df from 'durable-functions';

/** The name that the orchestrator is registered by. */
export const TALLY = 'tally';

const ALIVE: readonly df.OrchestrationRuntimeStatus[] = [
  df.OrchestrationRuntimeStatus.Pending,
  df.OrchestrationRuntimeStatus.Running,
  df.OrchestrationRuntimeStatus.ContinuedAsNew,
  df.OrchestrationRuntimeStatus.Suspended,
];

/** An instance that has not moved for so long is stuck; seen Pending for ever after deployments. */
const STUCK_MS = 5 * 60_000;

/** Starts a migration's tally, whose instance id is the migration's, unless it runs. Two at once do no harm. */
export async function ensureTally(context: InvocationContext, id: string): Promise<void> {
  const client = df.getClient(context);
  const status = await statusOf(client, id);
  if (status !== undefined && ALIVE.includes(status.runtimeStatus)) {
    // One that moved later than now waits for times by a clock that was set back.
    if (Math.abs(Date.now() - new Date(status.lastUpdatedTime).getTime()) < STUCK_MS) return;
    await client.terminate(id, 'stuck').catch(() => undefined);
  }
  try {
    await client.startNew(TALLY, { instanceId: id, input: id });
  } catch (error) {
    // Another starter was faster; the watchdog looks again.
    context.warn('The tally was not started', error instanceof Error ? error.message : error);
  }
}

/** getStatus of an unknown instance throws instead of returning nothing. */
async function statusOf(client: df.DurableClient, id: string): Promise<df.DurableOrchestrationStatus | undefined> {
  try {
    return await client.getStatus(id);
  } catch {
    return undefined;
  }
}
