import type { TypedData } from '../worker/core-types';
import { messageOf, type Invocation } from '../worker/function-worker';
import { parameter, rpcJsonText, rpcString, scalarFields } from '../worker/rpc-data';
import { EventType, type HistoryEvent } from './history';

/**
 * An orchestrator's episode as the host hands it to the worker: everything so far in one JSON text.
 * @param input JSON, or null when the instance was started without
 * @param isReplaying false in the first episode of an execution
 */
export function toOrchestratorInvocation(
  bindingName: string,
  instanceId: string,
  input: string | null,
  history: HistoryEvent[],
  isReplaying: boolean,
): Invocation {
  const limits = {
    upperSchemaVersion: 1,
    upperSchemaVersionNew: 2,
    longRunningTimerIntervalDuration: '3.00:00:00',
    maximumShortTimerDuration: '6.00:00:00',
    defaultHttpAsyncRequestSleepTimeMillseconds: 30000,
  };
  const text = JSON.stringify({
    history: history.map(withoutTaskInput),
    input: input === null ? null : (JSON.parse(input) as unknown),
    instanceId,
    isReplaying,
    parentInstanceId: null,
    ...limits,
  });
  const metadata: Record<string, TypedData> = { [bindingName]: rpcString(text) };
  if (input !== null) metadata.input = rpcJsonText(input);
  metadata.instanceId = rpcString(instanceId);
  metadata.isReplaying = rpcString(isReplaying ? 'True' : 'False');
  for (const [name, value] of Object.entries(limits)) metadata[name] = rpcString(String(value));
  return { inputData: [parameter(bindingName, rpcString(text))], triggerMetadata: metadata };
}

function withoutTaskInput(event: HistoryEvent): HistoryEvent {
  return event.EventType === EventType.TaskScheduled && event.Input !== null ? { ...event, Input: null } : event;
}

/**
 * An activity's call as the host hands it to the worker: objects as JSON text, text as it is.
 * @param input JSON, or null when called without
 */
export function toActivityInvocation(bindingName: string, instanceId: string, input: string | null): Invocation {
  const value = input === null ? null : (JSON.parse(input) as unknown);
  const text = value === null ? '' : typeof value === 'string' ? value : (input ?? '');
  return {
    inputData: [parameter(bindingName, rpcString(text))],
    triggerMetadata: {
      instanceId: rpcString(instanceId),
      [bindingName]: rpcString(text),
      data: rpcJsonText(input ?? 'null'),
      ...scalarFields(text),
    },
  };
}

/** What a function returned, as JSON; `null` when it returned nothing. */
export function returnedJson(value: TypedData | null | undefined): string {
  if (value?.json !== undefined) return value.json;
  if (value?.string !== undefined) return JSON.stringify(value.string);
  if (value?.bytes !== undefined) return JSON.stringify(Buffer.from(value.bytes).toString('base64'));
  return JSON.stringify(value?.int ?? value?.double ?? null);
}

/**
 * Reason and details of a failed activity, in the words and the shape of the Durable Task extension, which wraps the
 * worker's error in .NET exceptions; the stack traces of its own code are left out.
 */
export function activityFailure(name: string, error: unknown): { reason: string; details: string } {
  const message = messageOf(error);
  const stack = (error as { stack?: string } | undefined)?.stack ?? '';
  return {
    reason: `Activity function '${name}' failed:  ${message}`,
    details: JSON.stringify({
      $type: 'System.Exception, System.Private.CoreLib',
      ClassName: 'System.Exception',
      Message: ` ${message}`,
      Data: null,
      InnerException: {
        $type: 'Microsoft.Azure.WebJobs.Script.Workers.Rpc.RpcException, Microsoft.Azure.WebJobs.Script',
        IsUserException: false,
        RemoteStackTrace: stack,
        RemoteMessage: message,
        RemoteTypeName: null,
        Message: `Result: Failure\nException: ${message}\nStack: ${stack}`,
        Data: { $type: 'System.Collections.ListDictionaryInternal, System.Private.CoreLib' },
        InnerException: null,
        HelpLink: null,
        Source: 'System.Private.CoreLib',
        HResult: -2146233088,
        StackTrace: '',
      },
      HelpURL: null,
      StackTraceString: null,
      RemoteStackTraceString: null,
      RemoteStackIndex: 0,
      ExceptionMethod: null,
      HResult: -2146233088,
      Source: null,
      WatsonBuckets: null,
    }),
  };
}
