import { randomUUID } from 'node:crypto';
import type { Logger } from '../logger';
import type { InvocationResponse } from '../worker/core-types';
import { messageOf, type Invocation } from '../worker/function-worker';
import { type OrchestratorState, stateFromError } from './actions';
import {
  type EventRaised,
  EventType,
  executionStarted,
  type HistoryEvent,
  marker,
  type Message,
  outstanding,
  taskCompleted,
  taskFailed,
  type TaskScheduled,
  taskScheduled,
  type TimerCreated,
  timerCreated,
  timerFired,
} from './history';
import type { InstanceRecord, InstanceStore, StoredEvent } from './instance-store';
import { LongTimer } from './long-timer';
import { type Decision, decide } from './replay';
import { activityFailure, returnedJson, toActivityInvocation, toOrchestratorInvocation } from './requests';

export interface ActiveInstanceSetup {
  store: InstanceStore;
  log: Logger;
  /** The trigger binding's name of an orchestrator, or of an activity; undefined when there is no such function. */
  bindingOf(name: string): string | undefined;
  activityBindingOf(name: string): string | undefined;
  invoke(name: string, invocation: Invocation): Promise<InvocationResponse>;
  onEnd(): void;
  onError(error: unknown): void;
}

/** A lock that ends sooner is taken anew. */
const LOCK_LEFT_MS = 120_000;

/**
 * One instance that has not ended: takes messages, runs an episode for them (one at a time), writes it down, and only
 * then starts what the episode asked for. What is lost with the process is done again: activities run twice.
 */
export class ActiveInstance {
  history: HistoryEvent[] = [];
  private inbox: Message[] = [];
  private readonly storedEvents = new Map<EventRaised, StoredEvent>();
  private readonly timers = new Map<number, LongTimer>();
  private running: Promise<void> | undefined;
  private begun = false;
  private stopped = false;
  private termination: string | undefined;
  private eventCount = 0;

  constructor(
    readonly record: InstanceRecord,
    private readonly setup: ActiveInstanceSetup,
  ) {}

  /** Runs the first episode of a new instance. */
  start(): void {
    this.begun = true;
    this.pump();
  }

  /** Goes on where an earlier host has left off. */
  resume(history: HistoryEvent[], events: StoredEvent[]): void {
    this.history = history;
    if (this.record.terminateFor !== '') this.termination = this.record.terminateFor;
    for (const stored of events) this.accept(stored);
    if (history.length > 0) {
      const open = outstanding(history);
      for (const task of open.tasks) this.startActivity(task);
      for (const timer of open.timers) this.startTimer(timer);
    }
    // The first page of a continued execution is written before its first episode, and not again after it.
    if (this.record.pages > 1) this.markPlayed(isContinued(history));
    // An execution that was written but never run (new, or just continued as new) begins now.
    this.begun = !history.some((event) => event.EventType === EventType.ExecutionStarted && event.IsPlayed);
    this.pump();
  }

  /** Takes an external event; resolves when it is written down. */
  async raise(event: EventRaised): Promise<void> {
    const order = `${Date.now().toString(36).padStart(9, '0')}-${String(this.eventCount++).padStart(6, '0')}`;
    const stored = { key: `event-${order}-${randomUUID().slice(0, 8)}`, event };
    await this.setup.store.addEvent(this.record.instanceId, stored);
    this.accept(stored);
    this.pump();
  }

  async terminate(reason: string): Promise<void> {
    this.termination = reason;
    this.pump();
    await this.running;
  }

  async setSuspended(suspended: boolean): Promise<void> {
    await this.running;
    this.record.status = suspended ? 'Suspended' : 'Running';
    this.record.updatedAt = new Date().toISOString();
    await this.setup.store.save(this.record, []);
    this.pump();
  }

  /** Keeps other hosts away from an instance that has written nothing for long. */
  async keep(): Promise<void> {
    if (this.running !== undefined || this.stopped || this.setup.store.isHeldFor(this.record, LOCK_LEFT_MS)) return;
    // As an episode, so that none begins meanwhile.
    await this.occupy(() => this.setup.store.take(this.record));
  }

  async stop(): Promise<void> {
    this.stopped = true;
    for (const timer of this.timers.values()) timer.cancel();
    await this.running;
  }

  private abandon(): void {
    this.stopped = true;
    this.cancelTimers();
  }

  private accept(stored: StoredEvent): void {
    this.storedEvents.set(stored.event, stored);
    this.inbox.push(stored.event);
  }

  private receive(message: Message): void {
    this.inbox.push(message);
    this.pump();
  }

  private pump(): void {
    if (this.running === undefined) void this.occupy(() => this.work());
  }

  private occupy(work: () => Promise<void>): Promise<void> {
    const running = work()
      .catch((error: unknown) => {
        // What is in memory may no longer be what is written: the engine loads the instance anew.
        this.abandon();
        this.setup.onError(error);
      })
      .finally(() => {
        this.running = undefined;
        // A message may have come after the loop had looked for the last time.
        if (this.hasWork()) this.pump();
      });
    this.running = running;
    return running;
  }

  private hasWork(): boolean {
    if (this.stopped) return false;
    if (this.termination !== undefined) return true;
    return this.record.status !== 'Suspended' && (this.begun || this.inbox.length > 0);
  }

  private async work(): Promise<void> {
    while (this.hasWork()) {
      if (this.termination === undefined) await this.episode();
      else await this.end('Terminated', JSON.stringify(this.termination), EventType.ExecutionTerminated);
    }
  }

  /** Runs the orchestrator once over all that has arrived. */
  private async episode(): Promise<void> {
    const { record } = this;
    const now = new Date();
    const first = this.begun;
    this.begun = false;
    const messages = this.inbox.splice(0);
    const continued = first && this.history.length > 0;
    const before = this.history.length;
    if (!continued) this.history.push(marker(EventType.OrchestratorStarted, now));
    if (first && !continued) this.history.push(executionStarted(record, 0, new Date(record.createdAt)));
    // A continued execution's first episode has its events in the history already; what came since waits for the next.
    if (continued) this.inbox.unshift(...messages);
    else this.history.push(...messages);

    const state = await this.run(!first);
    this.markPlayed(continued);

    record.status = record.status === 'Pending' ? 'Running' : record.status;
    record.updatedAt = new Date().toISOString();
    if (state.customStatus !== undefined) record.customStatus = JSON.stringify(state.customStatus);
    const taken = messages.flatMap((message) => this.take(message));

    let decision: Decision;
    try {
      decision = decide(this.history, state.actions.flat());
      if (state.error !== undefined) throw new Error(state.error);
    } catch (error) {
      const output = `Orchestrator function '${record.name}' failed: ${messageOf(error)}`;
      await this.end('Failed', JSON.stringify(output), EventType.ExecutionCompleted, before, taken);
      return;
    }
    if (decision.continueAsNew) {
      await this.continueAsNew(decision.continueAsNew.input, decision.unconsumed, taken);
    } else if (state.isDone) {
      const output = state.output === undefined ? null : JSON.stringify(state.output);
      await this.end('Completed', output, EventType.ExecutionCompleted, before, taken);
    } else await this.schedule(decision, before, taken);
  }

  /** As the framework marks what an episode has seen; of a continued execution also the marker it begins with. */
  private markPlayed(continued: boolean): void {
    const first = this.history.find((event) => event.EventType === EventType.OrchestratorCompleted);
    for (const event of this.history) {
      if (isMessage(event) || (continued && event === first)) event.IsPlayed = true;
    }
  }

  private async run(isReplaying: boolean): Promise<OrchestratorState> {
    const { name, instanceId, input } = this.record;
    const binding = this.setup.bindingOf(name);
    if (binding === undefined) return failed(`The function '${name}' doesn't exist.`);
    try {
      const invocation = toOrchestratorInvocation(binding, instanceId, input, this.history, isReplaying);
      const response = await this.setup.invoke(name, invocation);
      return JSON.parse(response.returnValue?.json ?? 'null') as OrchestratorState;
    } catch (error) {
      return stateFromError(messageOf(error)) ?? failed(messageOf(error));
    }
  }

  private take(message: Message): StoredEvent[] {
    if (message.EventType !== EventType.EventRaised) return [];
    const stored = this.storedEvents.get(message);
    this.storedEvents.delete(message);
    return stored ? [stored] : [];
  }

  private async schedule(decision: Decision, before: number, taken: StoredEvent[]): Promise<void> {
    const now = new Date();
    const tasks: TaskScheduled[] = [];
    const timers: TimerCreated[] = [];
    for (const item of decision.scheduled) {
      if (item.kind === 'timer') timers.push(timerCreated(item.id, item.fireAt, now));
      else {
        const input = item.input === undefined ? null : JSON.stringify(item.input);
        tasks.push(taskScheduled(item.id, item.name, input, now));
      }
    }
    const scheduled = [...tasks, ...timers].sort((a, b) => a.EventId - b.EventId);
    this.history.push(...scheduled, marker(EventType.OrchestratorCompleted, now));
    await this.setup.store.save(this.record, this.history.slice(before), taken);
    if (this.stopped) return;
    for (const task of tasks) this.startActivity(task);
    for (const timer of timers) this.startTimer(timer);
  }

  private async continueAsNew(input: unknown, events: EventRaised[], taken: StoredEvent[]): Promise<void> {
    const { record } = this;
    const now = new Date();
    this.cancelTimers();
    record.executionId = randomUUID().replaceAll('-', '');
    record.input = input === undefined ? null : JSON.stringify(input);
    record.createdAt = now.toISOString();
    record.pages = 0;
    // Results of the execution that has ended are nobody's business any more; events still are.
    this.inbox = this.inbox.filter((message) => message.EventType === EventType.EventRaised);
    this.history = [
      marker(EventType.OrchestratorStarted, now),
      executionStarted(record, null, now),
      ...events,
      marker(EventType.OrchestratorCompleted, now),
    ];
    await this.setup.store.save(record, this.history, taken);
    await this.setup.store.forgetEarlierExecutions(record);
    this.begun = true;
  }

  private async end(
    status: 'Completed' | 'Failed' | 'Terminated',
    output: string | null,
    type: typeof EventType.ExecutionCompleted | typeof EventType.ExecutionTerminated,
    before = this.history.length,
    taken: StoredEvent[] = [],
  ): Promise<void> {
    const now = new Date();
    this.cancelTimers();
    this.record.status = status;
    this.record.output = output;
    this.record.updatedAt = now.toISOString();
    this.history.push(marker(type, now), marker(EventType.OrchestratorCompleted, now));
    await this.setup.store.save(this.record, this.history.slice(before), taken);
    this.stopped = true;
    this.setup.onEnd();
    if (status === 'Failed') this.setup.log.error(`orchestration ${this.record.instanceId}: ${output ?? ''}`);
  }

  private cancelTimers(): void {
    for (const timer of this.timers.values()) timer.cancel();
    this.timers.clear();
  }

  private startTimer(created: TimerCreated): void {
    const { executionId } = this.record;
    // Never longer than when it was made: the clock may have been set back since.
    const longest = Date.parse(created.FireAt) - Date.parse(created.Timestamp);
    const at = Math.min(Date.parse(created.FireAt), Date.now() + Math.max(0, longest));
    const timer = new LongTimer(new Date(at), () => {
      this.timers.delete(created.EventId);
      if (this.record.executionId === executionId) this.receive(timerFired(created));
    });
    this.timers.set(created.EventId, timer);
  }

  private startActivity(task: TaskScheduled): void {
    const { executionId } = this.record;
    void this.runActivity(task).then((message) => {
      if (this.record.executionId === executionId && !this.stopped) this.receive(message);
    });
  }

  private async runActivity({ EventId: id, Name: name, Input: input }: TaskScheduled): Promise<Message> {
    try {
      const binding = this.setup.activityBindingOf(name);
      if (binding === undefined) throw new Error(`The activity function '${name}' doesn't exist.`);
      const invocation = toActivityInvocation(binding, this.record.instanceId, input);
      const response = await this.setup.invoke(name, invocation);
      return taskCompleted(id, returnedJson(response.returnValue), new Date());
    } catch (error) {
      const { reason, details } = activityFailure(name, error);
      this.setup.log.warn(`orchestration ${this.record.instanceId}: ${reason}`);
      return taskFailed(id, reason, details, new Date());
    }
  }
}

const failed = (error: string): OrchestratorState => ({ isDone: false, actions: [[]], error, schemaVersion: 2 });

function isContinued(history: HistoryEvent[]): boolean {
  return history.some((event) => event.EventType === EventType.ExecutionStarted && event.Generation === null);
}

function isMessage(event: HistoryEvent): boolean {
  return (
    event.EventType === EventType.ExecutionStarted ||
    event.EventType === EventType.TaskCompleted ||
    event.EventType === EventType.TaskFailed ||
    event.EventType === EventType.TimerFired ||
    event.EventType === EventType.EventRaised
  );
}
