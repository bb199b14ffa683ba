/**
 * What an orchestrator function answers after an episode: durable-functions' OrchestratorState (schema 2), with every
 * action since the start of its history, not only the new ones. Source: durable-functions, lib/src/actions.
 */
export interface OrchestratorState {
  isDone: boolean;
  actions: Action[][];
  output?: unknown;
  error?: string;
  customStatus?: unknown;
  schemaVersion: number;
}

export const ActionType = {
  CallActivity: 0,
  CallActivityWithRetry: 1,
  ContinueAsNew: 4,
  CreateTimer: 5,
  WaitForExternalEvent: 6,
  WhenAny: 11,
  WhenAll: 12,
} as const;

export interface RetryOptions {
  firstRetryIntervalInMilliseconds: number;
  maxNumberOfAttempts: number;
  backoffCoefficient?: number;
  maxRetryIntervalInMilliseconds?: number;
}

export type Action =
  | { actionType: typeof ActionType.CallActivity; functionName: string; input?: unknown }
  | {
      actionType: typeof ActionType.CallActivityWithRetry;
      functionName: string;
      input?: unknown;
      retryOptions: RetryOptions;
    }
  | { actionType: typeof ActionType.ContinueAsNew; input?: unknown }
  | { actionType: typeof ActionType.CreateTimer; fireAt: string; isCanceled: boolean }
  | { actionType: typeof ActionType.WaitForExternalEvent; externalEventName: string }
  | { actionType: typeof ActionType.WhenAny | typeof ActionType.WhenAll; compoundActions: Action[] };

const actionNames: Record<number, string> = {
  2: 'callSubOrchestrator',
  3: 'callSubOrchestratorWithRetry',
  7: 'callEntity',
  8: 'callHttp',
  9: 'signalEntity',
  13: 'lock',
  14: 'release',
};

/** The name, for people, of an action that the local host does not run. */
export const unsupportedAction = (type: number): string => actionNames[type] ?? `action ${type}`;

const outOfProcessMark = '$OutOfProcData$:';

/**
 * The state inside the error with which durable-functions ends an orchestrator that threw; undefined for other errors.
 * Source: durable-functions, lib/src/error/OrchestrationFailureError.js.
 */
export function stateFromError(message: string): OrchestratorState | undefined {
  const at = message.indexOf(outOfProcessMark);
  return at < 0 ? undefined : (JSON.parse(message.slice(at + outOfProcessMark.length)) as OrchestratorState);
}
