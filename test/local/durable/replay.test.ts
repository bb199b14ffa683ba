import { type Action, ActionType } from '../../../local/durable/actions';
import {
  eventRaised,
  EventType,
  executionStarted,
  type HistoryEvent,
  marker,
  outstanding,
  taskCompleted,
  taskFailed,
  taskScheduled,
  timerCreated,
  timerFired,
} from '../../../local/durable/history';
import { decide, NonDeterminismError, retryDelay } from '../../../local/durable/replay';

const at = new Date('2026-01-01T00:00:00.000Z');
const instance = { instanceId: 'i', executionId: 'e', name: 'tally', input: null };
const begin: HistoryEvent[] = [marker(EventType.OrchestratorStarted, at), executionStarted(instance, 0, at)];
const activity = (functionName: string, input?: unknown): Action => ({
  actionType: ActionType.CallActivity,
  functionName,
  input,
});
const timer = (fireAt: string, isCanceled = false): Action => ({
  actionType: ActionType.CreateTimer,
  fireAt,
  isCanceled,
});
const waitFor = (externalEventName: string): Action => ({
  actionType: ActionType.WaitForExternalEvent,
  externalEventName,
});
const any = (...compoundActions: Action[]): Action => ({ actionType: ActionType.WhenAny, compoundActions });
const all = (...compoundActions: Action[]): Action => ({ actionType: ActionType.WhenAll, compoundActions });
const retrying: Action = {
  actionType: ActionType.CallActivityWithRetry,
  functionName: 'a',
  retryOptions: { firstRetryIntervalInMilliseconds: 1000, maxNumberOfAttempts: 2 },
};

describe('decide', () => {
  test('schedules what is new, with the number the orchestrator gives it', () => {
    const { scheduled } = decide(begin, [activity('a', { x: 1 })]);
    expect(scheduled).toEqual([{ kind: 'activity', id: 0, name: 'a', input: { x: 1 } }]);
  });

  test('does not schedule again what the history has', () => {
    const history = [...begin, taskScheduled(0, 'a', null, at), taskCompleted(0, '1', at)];
    expect(decide(history, [activity('a'), activity('b')]).scheduled).toMatchObject([{ id: 1, name: 'b' }]);
  });

  test('numbers the children of Task.all and Task.any in their order, and gives events no number', () => {
    const { scheduled } = decide(begin, [any(timer('2026-01-01T00:00:02.000Z'), waitFor('stop'), all(activity('a')))]);
    expect(scheduled.map(({ id, kind }) => [id, kind])).toEqual([
      [0, 'timer'],
      [1, 'activity'],
    ]);
  });

  test('goes on behind Task.any with its first child, behind Task.all with its last', () => {
    const two = [...begin, taskScheduled(0, 'a', null, at), taskScheduled(1, 'b', null, at), taskCompleted(1, '1', at)];
    expect(decide(two, [any(activity('a'), activity('b')), activity('c')]).scheduled).toMatchObject([{ id: 2 }]);
    expect(decide(two, [all(activity('a'), activity('b'))]).scheduled).toEqual([]);
  });

  test('waits between the attempts of a retried activity, and after the last one too', () => {
    const failed = [...begin, taskScheduled(0, 'a', null, at), taskFailed(0, 'r', 'd', at)];
    expect(decide(failed, [retrying]).scheduled).toEqual([
      { kind: 'timer', id: 1, fireAt: '2026-01-01T00:00:01.000Z' },
    ]);
    const pause = timerCreated(1, '2026-01-01T00:00:01.000Z', at);
    const again = [...failed, pause, timerFired(pause)];
    expect(decide(again, [retrying]).scheduled).toMatchObject([{ kind: 'activity', id: 2, name: 'a' }]);
    const twice = [...again, taskScheduled(2, 'a', null, at), taskFailed(2, 'r', 'd', at)];
    expect(decide(twice, [retrying]).scheduled).toMatchObject([{ kind: 'timer', id: 3 }]);
  });

  test('hands events that nobody took to the next execution', () => {
    const pause = timerCreated(0, '2026-01-01T00:00:02.000Z', at);
    const stop = eventRaised('stop', null, at);
    const history = [...begin, pause, timerFired(pause), stop];
    const decision = decide(history, [
      any(timer(pause.FireAt), waitFor('stop')),
      { actionType: ActionType.ContinueAsNew, input: 1 },
    ]);
    expect(decision).toEqual({ scheduled: [], continueAsNew: { input: 1 }, unconsumed: [stop] });
  });

  test('gives an event that came early to the first who waits for it', () => {
    const history = [...begin, eventRaised('go', null, at)];
    expect(decide(history, [waitFor('go'), activity('a')])).toMatchObject({ scheduled: [{ id: 0 }], unconsumed: [] });
  });

  test('does not start a timer that is cancelled already', () => {
    expect(decide(begin, [timer('2026-01-01T00:00:02.000Z', true)]).scheduled).toEqual([]);
  });

  test('refuses another activity than the history has', () => {
    const history = [...begin, taskScheduled(0, 'a', null, at)];
    expect(() => decide(history, [activity('b')])).toThrow(NonDeterminismError);
  });

  test('says which action it does not run', () => {
    expect(() => decide(begin, [{ actionType: 7 } as unknown as Action])).toThrow('callEntity');
  });
});

test('retryDelay grows by the coefficient up to the limit', () => {
  const options = {
    firstRetryIntervalInMilliseconds: 100,
    maxNumberOfAttempts: 9,
    backoffCoefficient: 2,
    maxRetryIntervalInMilliseconds: 300,
  };
  expect([1, 2, 3].map((attempt) => retryDelay(options, attempt))).toEqual([100, 200, 300]);
});

test('outstanding finds the tasks and timers that have not come back', () => {
  const pause = timerCreated(1, '2026-01-01T00:00:02.000Z', at);
  const history = [taskScheduled(0, 'a', '1', at), pause, taskScheduled(2, 'b', null, at), taskCompleted(0, '1', at)];
  expect(outstanding(history)).toEqual({ tasks: [history[2]], timers: [pause] });
});
