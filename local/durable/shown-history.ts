import { EventType, type HistoryEvent } from './history';

type Shown = Record<string, unknown>;

/**
 * A history as the management API shows it: without the markers of episodes, and with what was scheduled and its
 * outcome as one event. Source: Azure/azure-functions-durable-extension, DurableClient.cs (ConvertFrom).
 * @param showOutput also the results of activities
 */
export function shownHistory(history: HistoryEvent[], showOutput: boolean): Shown[] {
  const tasks = new Map<number, { name: string; at: string }>();
  const shown: Shown[] = [];
  for (const event of history) {
    const { Timestamp } = event;
    switch (event.EventType) {
      case EventType.ExecutionStarted:
        shown.push({ EventType: 'ExecutionStarted', Timestamp, FunctionName: event.Name });
        break;
      case EventType.TaskScheduled:
        tasks.set(event.EventId, { name: event.Name, at: Timestamp });
        break;
      case EventType.TaskCompleted:
      case EventType.TaskFailed: {
        const { name, at } = tasks.get(event.TaskScheduledId) ?? {};
        const scheduled = { Timestamp, ScheduledTime: at, FunctionName: name };
        if (event.EventType === EventType.TaskFailed) {
          shown.push({ EventType: 'TaskFailed', Reason: event.Reason, Details: event.Details, ...scheduled });
        } else {
          const result = showOutput ? { Result: JSON.parse(event.Result) as unknown } : {};
          shown.push({ EventType: 'TaskCompleted', ...result, ...scheduled });
        }
        break;
      }
      case EventType.TimerFired:
        shown.push({ EventType: 'TimerFired', Timestamp, FireAt: event.FireAt });
        break;
      case EventType.EventRaised:
        shown.push({ EventType: 'EventRaised', Timestamp, Name: event.Name });
        break;
      case EventType.ExecutionCompleted:
        shown.push({ EventType: 'ExecutionCompleted', Timestamp });
        break;
      case EventType.ExecutionTerminated:
        shown.push({ EventType: 'ExecutionTerminated', Timestamp });
        break;
      default:
        break;
    }
  }
  return shown;
}
