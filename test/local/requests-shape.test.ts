import { HostProcess, until } from './support/host-process';
import { episodeOf, readRecording, type RecordedInvocation } from './support/recording';
import { shapeOf } from './support/shape';

const recording = readRecording();
let host: HostProcess;
let seen: RecordedInvocation[];

const headers = {
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  'x-functions-key': 'hostkey',
};

async function statusOf(id: string): Promise<string> {
  const response = await host.fetch(`/api/migrations/${id}`);
  return ((await response.json()) as { runtimeStatus: string }).runtimeStatus;
}

beforeAll(async () => {
  host = await HostProcess.create({ record: true });
  await host.start();
  await host.fetch('/api/migrations?verbose=1&x=a%20b', { method: 'POST', json: { id: 'b1' } });
  await until(async () => (await statusOf('b1')) === 'Completed');
  await host.fetch('/api/migrations', { method: 'POST', json: { id: 'b2', fail: true, blow: true } });
  await until(async () => (await statusOf('b2')) === 'Completed');
  await fetch(`${host.url}/api/migrations/none`, { headers });
  await host.fetch('/api/migrations', { method: 'POST', json: { id: 'b3', hold: 1 } });
  await until(() => host.recorded<RecordedInvocation>().filter((item) => round(item) === 1).length > 0);
  await host.fetch('/api/migrations/b3', { method: 'DELETE' });
  await until(async () => (await statusOf('b3')) === 'Completed');
  await until(() => host.recorded<RecordedInvocation>().some((item) => item.function === 'watchdog'), 11_000);
  await host.stop();
  seen = host.recorded();
});

afterAll(async () => {
  await host.stop();
});

function round({ function: name, request }: RecordedInvocation): number | undefined {
  if (name !== 'tally') return undefined;
  const { input, instanceId } = episodeOf(request) as { input?: { round?: number }; instanceId?: string };
  return instanceId === 'b3' ? (input?.round ?? 0) : undefined;
}

/** Which headers and query parameters a caller sends is the caller's business, not the host's. */
const sentByCaller = (path: string): boolean =>
  /\.(nullableHeaders|nullableQuery|Headers\.json#|Query\.json#)$/.test(path) || path.endsWith('.InnerException');

/** A request's shape as text, without what is different each time. */
function shape(recorded: RecordedInvocation): string {
  const { invocationId: _, ...request } = JSON.parse(JSON.stringify(recorded.request)) as RecordedInvocation['request'];
  // Bytes are written in two ways in the recording; here it counts that they are bytes.
  const text = JSON.stringify(request).replace(/"bytes":\{"type":"Buffer","data":\[[\d,]*\]\}/g, '"bytes":"bytes"');
  return JSON.stringify(shapeOf(JSON.parse(text), sentByCaller), null, 1);
}

const shapesOf = (items: RecordedInvocation[], name: string) =>
  new Set(items.filter((item) => item.function === name).map(shape));

test.each(['start', 'get', 'cancel', 'copyRange', 'failRange', 'sumRows', 'watchdog'])(
  'requests for %s have the shape that a real host gives them',
  (name) => {
    const real = shapesOf(recording.invocations, name);
    const local = shapesOf(seen, name);
    expect(local.size).toBeGreaterThan(0);
    for (const one of local) expect([...real]).toContain(one);
  },
);

/** The kinds of events with what a replay depends on: their numbers, and whether they are played. */
function outline(recorded: RecordedInvocation): string {
  const { history, ...rest } = episodeOf(recorded.request);
  const events = history.map((event) => {
    const number = event.TaskScheduledId ?? event.TimerId ?? event.EventId;
    return `${String(event.EventType)}:${String(number)}:${String(event.IsPlayed)}`;
  });
  return `${String(rest.isReplaying)} ${events.join(' ')}`;
}

const outlinesOf = (items: RecordedInvocation[], id: string) =>
  items.filter((item) => item.function === 'tally' && episodeOf(item.request).instanceId === id).map(outline);

test('an orchestration has episode for episode the history that a real host gives it', () => {
  expect(outlinesOf(seen, 'b1')).toEqual(outlinesOf(recording.invocations, 'b1'));
  expect(outlinesOf(seen, 'b2').slice(0, 5)).toEqual(outlinesOf(recording.invocations, 'b2').slice(0, 5));
  expect(outlinesOf(seen, 'b3').slice(0, 3)).toEqual(outlinesOf(recording.invocations, 'b3').slice(0, 3));
});

test('every kind of event has the fields that a real host gives it', () => {
  const fields = (items: RecordedInvocation[]) => {
    const kinds = new Map<unknown, Set<string>>();
    for (const item of items.filter((one) => one.function === 'tally')) {
      for (const event of episodeOf(item.request).history) {
        const shapes = kinds.get(event.EventType) ?? new Set<string>();
        kinds.set(event.EventType, shapes.add(Object.keys(event).sort().join()));
      }
    }
    return kinds;
  };
  expect(fields(seen)).toEqual(fields(recording.invocations));
});

test('an orchestrator gets its metadata as from a real host', () => {
  const metadata = (items: RecordedInvocation[]) => {
    const { request } = items.find((item) => item.function === 'tally')!;
    const { [request.inputData[0]!.name]: _, ...rest } = request.triggerMetadata;
    return { rest, top: { ...episodeOf(request), history: [] } };
  };
  expect(metadata(seen)).toEqual(metadata(recording.invocations));
});
