/**
 * The events of an orchestration's history, as the Durable Task Framework numbers and names them and as the
 * orchestrator trigger carries them (test/fixtures/functions-host.json).
 */
export const EventType = {
  ExecutionStarted: 0,
  ExecutionCompleted: 1,
  ExecutionTerminated: 3,
  TaskScheduled: 4,
  TaskCompleted: 5,
  TaskFailed: 6,
  TimerCreated: 10,
  TimerFired: 11,
  OrchestratorStarted: 12,
  OrchestratorCompleted: 13,
  EventRaised: 15,
} as const;

interface EventBase {
  /** The number of what was scheduled; -1 for all other events. */
  EventId: number;
  /** True once an episode has seen the event. */
  IsPlayed: boolean;
  /** ISO 8601, UTC. */
  Timestamp: string;
}

export interface ExecutionStarted extends EventBase {
  EventType: typeof EventType.ExecutionStarted;
  OrchestrationInstance: { InstanceId: string; ExecutionId: string };
  ParentInstance: null;
  Name: string;
  Version: string;
  /** JSON, or null when started without. */
  Input: string | null;
  Tags: null;
  Correlation: null;
  ParentTraceContext: null;
  ScheduledStartTime: null;
  Generation: number | null;
}

export interface TaskScheduled extends EventBase {
  EventType: typeof EventType.TaskScheduled;
  Name: string;
  Version: string;
  /** JSON; kept in the stored history, null in what the orchestrator gets. */
  Input: string | null;
  ParentTraceContext: null;
}

export interface TaskCompleted extends EventBase {
  EventType: typeof EventType.TaskCompleted;
  TaskScheduledId: number;
  /** JSON. */
  Result: string;
}

export interface TaskFailed extends EventBase {
  EventType: typeof EventType.TaskFailed;
  TaskScheduledId: number;
  Reason: string;
  Details: string;
  FailureDetails: null;
}

export interface TimerCreated extends EventBase {
  EventType: typeof EventType.TimerCreated;
  FireAt: string;
}

export interface TimerFired extends EventBase {
  EventType: typeof EventType.TimerFired;
  TimerId: number;
  FireAt: string;
}

export interface EventRaised extends EventBase {
  EventType: typeof EventType.EventRaised;
  Name: string;
  /** JSON. */
  Input: string | null;
  ParentTraceContext: null;
}

export interface Marker extends EventBase {
  EventType:
    | typeof EventType.OrchestratorStarted
    | typeof EventType.OrchestratorCompleted
    | typeof EventType.ExecutionCompleted
    | typeof EventType.ExecutionTerminated;
}

export type HistoryEvent =
  ExecutionStarted | TaskScheduled | TaskCompleted | TaskFailed | TimerCreated | TimerFired | EventRaised | Marker;

/** What can arrive from outside and makes an orchestrator run. */
export type Message = TaskCompleted | TaskFailed | TimerFired | EventRaised;

const timestamp = (at: Date): EventBase => ({ EventId: -1, IsPlayed: false, Timestamp: at.toISOString() });

export const marker = (type: Marker['EventType'], at: Date): Marker => ({ EventType: type, ...timestamp(at) });

/**
 * The event an execution begins with.
 * @param generation 0 for a new instance, null after continueAsNew
 */
export function executionStarted(
  instance: { instanceId: string; executionId: string; name: string; input: string | null },
  generation: number | null,
  at: Date,
): ExecutionStarted {
  return {
    OrchestrationInstance: { InstanceId: instance.instanceId, ExecutionId: instance.executionId },
    EventType: EventType.ExecutionStarted,
    ParentInstance: null,
    Name: instance.name,
    Version: '',
    Input: instance.input,
    Tags: null,
    Correlation: null,
    ParentTraceContext: null,
    ScheduledStartTime: null,
    Generation: generation,
    ...timestamp(at),
  };
}

export const taskScheduled = (id: number, name: string, input: string | null, at: Date): TaskScheduled => ({
  EventType: EventType.TaskScheduled,
  Name: name,
  Version: '',
  Input: input,
  ParentTraceContext: null,
  ...timestamp(at),
  EventId: id,
});

export const taskCompleted = (id: number, result: string, at: Date): TaskCompleted => ({
  EventType: EventType.TaskCompleted,
  TaskScheduledId: id,
  Result: result,
  ...timestamp(at),
});

export const taskFailed = (id: number, reason: string, details: string, at: Date): TaskFailed => ({
  EventType: EventType.TaskFailed,
  TaskScheduledId: id,
  Reason: reason,
  Details: details,
  FailureDetails: null,
  ...timestamp(at),
});

export const timerCreated = (id: number, fireAt: string, at: Date): TimerCreated => ({
  EventType: EventType.TimerCreated,
  FireAt: fireAt,
  ...timestamp(at),
  EventId: id,
});

export const timerFired = (created: TimerCreated): TimerFired => ({
  EventType: EventType.TimerFired,
  TimerId: created.EventId,
  FireAt: created.FireAt,
  // As the Azure Storage backend stamps it: the message was written when the timer was made.
  ...timestamp(new Date(created.Timestamp)),
});

export const eventRaised = (name: string, input: string | null, at: Date): EventRaised => ({
  EventType: EventType.EventRaised,
  Name: name,
  Input: input,
  ParentTraceContext: null,
  ...timestamp(at),
});

/** What was scheduled and has not come back yet: what a restarted host must take up again. */
export function outstanding(history: HistoryEvent[]): { tasks: TaskScheduled[]; timers: TimerCreated[] } {
  const tasks = new Map<number, TaskScheduled>();
  const timers = new Map<number, TimerCreated>();
  for (const event of history) {
    if (event.EventType === EventType.TaskScheduled) tasks.set(event.EventId, event);
    else if (event.EventType === EventType.TimerCreated) timers.set(event.EventId, event);
    else if (event.EventType === EventType.TaskCompleted || event.EventType === EventType.TaskFailed) {
      tasks.delete(event.TaskScheduledId);
    } else if (event.EventType === EventType.TimerFired) timers.delete(event.TimerId);
  }
  return { tasks: [...tasks.values()], timers: [...timers.values()] };
}
