import { type Action, ActionType, type RetryOptions, unsupportedAction } from './actions';
import { EventType, type EventRaised, type HistoryEvent } from './history';

/** Something an episode has asked for that is not in the history yet. */
export type Scheduled =
  { kind: 'activity'; id: number; name: string; input: unknown } | { kind: 'timer'; id: number; fireAt: string };

export interface Decision {
  scheduled: Scheduled[];
  /** Set when the execution ends by continueAsNew. */
  continueAsNew?: { input: unknown };
  /** Events that no part of the orchestrator has taken; a new execution gets them. */
  unconsumed: EventRaised[];
}

interface Task {
  done: boolean;
  parent?: Compound;
}

interface Compound extends Task {
  childDone(succeeded: boolean): void;
}

/** The history says that the orchestrator has asked for something else than it asks for now. */
export class NonDeterminismError extends Error {}

/**
 * Lays the actions an orchestrator has answered against its history, and finds what is new. The numbers of tasks and
 * timers follow durable-functions' TaskOrchestrationExecutor: counted up as tasks are first waited for, the children
 * of Task.all and Task.any in their order, a retry's timer and next attempt when the failure is seen.
 * @throws NonDeterminismError, or Error for an action that is not supported
 */
export function decide(history: HistoryEvent[], actions: Action[]): Decision {
  return new Replay(history).run(history, actions);
}

class Replay {
  private sequence = 0;
  private now = new Date(0);
  private readonly known = new Map<number, HistoryEvent>();
  private readonly open = new Map<number, Task>();
  private readonly waiting = new Map<string, Task[]>();
  private early: EventRaised[] = [];
  private readonly scheduled: Scheduled[] = [];
  private continueAsNew: { input: unknown } | undefined;
  private current: Task | undefined;

  constructor(history: HistoryEvent[]) {
    for (const event of history) if (event.EventId >= 0) this.known.set(event.EventId, event);
  }

  run(history: HistoryEvent[], actions: Action[]): Decision {
    const queue = [...actions];
    for (const event of history) {
      if (this.continueAsNew) {
        if (event.EventType === EventType.EventRaised) this.early.push(event);
        continue;
      }
      this.apply(event);
      if (event.EventType !== EventType.OrchestratorStarted) this.advance(queue);
    }
    // The orchestrator has gone further than this replay sees, as after a Task.any: what it asked for is started.
    while (queue.length > 0 && !this.continueAsNew) this.next(queue);
    return {
      scheduled: this.scheduled,
      ...(this.continueAsNew ? { continueAsNew: this.continueAsNew } : {}),
      unconsumed: this.early,
    };
  }

  private advance(queue: Action[]): void {
    while (queue.length > 0 && (this.current?.done ?? true) && !this.continueAsNew) this.next(queue);
  }

  private next(queue: Action[]): void {
    const action = queue.shift();
    if (!action) return;
    if (action.actionType === ActionType.ContinueAsNew) this.continueAsNew = { input: action.input };
    else this.current = this.begin(action);
  }

  private apply(event: HistoryEvent): void {
    switch (event.EventType) {
      case EventType.OrchestratorStarted:
        this.now = new Date(event.Timestamp);
        break;
      case EventType.TaskCompleted:
        this.finishById(event.TaskScheduledId, true);
        break;
      case EventType.TaskFailed:
        this.finishById(event.TaskScheduledId, false);
        break;
      case EventType.TimerFired:
        this.finishById(event.TimerId, true);
        break;
      case EventType.EventRaised: {
        const task = this.waiting.get(event.Name)?.pop();
        if (task) this.finish(task, true);
        else this.early.push(event);
        break;
      }
      default:
        break;
    }
  }

  private finishById(id: number, succeeded: boolean): void {
    const task = this.open.get(id);
    this.open.delete(id);
    if (task) this.finish(task, succeeded);
  }

  private finish(task: Task, succeeded: boolean): void {
    if (task.done) return;
    task.done = true;
    task.parent?.childDone(succeeded);
  }

  private begin(action: Action, parent?: Compound): Task {
    const task: Task = { done: false, ...(parent ? { parent } : {}) };
    switch (action.actionType) {
      case ActionType.CallActivity:
        this.activity(action.functionName, action.input, task);
        return task;
      case ActionType.CallActivityWithRetry:
        return this.retrying(action.functionName, action.input, action.retryOptions, task);
      case ActionType.CreateTimer:
        this.timer(action.fireAt, action.isCanceled, task);
        return task;
      case ActionType.WaitForExternalEvent:
        this.waitFor(action.externalEventName, task);
        return task;
      case ActionType.WhenAny:
      case ActionType.WhenAll:
        return this.compound(action.compoundActions, action.actionType === ActionType.WhenAny, task);
      default:
        throw new Error(
          `The local host does not run ${unsupportedAction((action as { actionType: number }).actionType)}.`,
        );
    }
  }

  private activity(name: string, input: unknown, task: Task): void {
    const id = this.take(task);
    const known = this.known.get(id);
    if (!known) this.scheduled.push({ kind: 'activity', id, name, input });
    else if (known.EventType !== EventType.TaskScheduled || known.Name !== name) {
      throw new NonDeterminismError(`Non-deterministic orchestrator: task ${id} was another than activity ${name}.`);
    }
  }

  private timer(fireAt: string, isCanceled: boolean, task: Task): void {
    const id = this.take(task);
    const known = this.known.get(id);
    if (!known) {
      if (!isCanceled) this.scheduled.push({ kind: 'timer', id, fireAt });
    } else if (known.EventType !== EventType.TimerCreated) {
      throw new NonDeterminismError(`Non-deterministic orchestrator: task ${id} was no timer.`);
    }
  }

  private take(task: Task): number {
    const id = this.sequence++;
    this.open.set(id, task);
    return id;
  }

  private waitFor(name: string, task: Task): void {
    const at = this.early.findIndex((event) => event.Name === name);
    if (at >= 0) {
      this.early.splice(at, 1);
      this.finish(task, true);
      return;
    }
    this.waiting.set(name, [...(this.waiting.get(name) ?? []), task]);
  }

  private compound(actions: Action[], any: boolean, task: Task): Task {
    const children: Task[] = [];
    const compound: Compound = Object.assign(task, {
      childDone: (succeeded: boolean) => {
        const complete = any || !succeeded || (children.length === actions.length && children.every((c) => c.done));
        if (complete) this.finish(compound, succeeded);
      },
    });
    for (const action of actions) children.push(this.begin(action, compound));
    // Children that were done at once, by an early event, have reported before the list was whole.
    if (!any && children.every((child) => child.done)) this.finish(compound, true);
    return compound;
  }

  private retrying(name: string, input: unknown, options: RetryOptions, task: Task): Task {
    let attempt = 1;
    let waiting = false;
    const retry: Compound = Object.assign(task, {
      childDone: (succeeded: boolean) => {
        if (waiting) {
          waiting = false;
          if (attempt > options.maxNumberOfAttempts) this.finish(retry, false);
          else this.activity(name, input, { done: false, parent: retry });
        } else if (succeeded) this.finish(retry, true);
        else {
          // The framework waits after the last attempt too, before it gives up.
          const fireAt = new Date(this.now.getTime() + retryDelay(options, attempt)).toISOString();
          attempt += 1;
          waiting = true;
          this.timer(fireAt, false, { done: false, parent: retry });
        }
      },
    });
    this.activity(name, input, { done: false, parent: retry });
    return retry;
  }
}

/** Milliseconds between the failure of an attempt (1, 2, …) and the next attempt. */
export function retryDelay(options: RetryOptions, attempt: number): number {
  const delay = options.firstRetryIntervalInMilliseconds * (options.backoffCoefficient ?? 1) ** (attempt - 1);
  return Math.min(delay, options.maxRetryIntervalInMilliseconds ?? Infinity);
}
