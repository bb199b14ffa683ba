import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { Redis } from 'ioredis';
import { fillServer } from '../demo/generate';
import { startServer, type RunningServer } from '../local/servers/start-server';
import { readConnectionSettings } from '../src/redis/connection-settings';
import { openFeeds } from '../src/redis/feed-connection';
import { documentOf, startApp, type RunningApp } from './contenders';
import { emptied, keysOn, withServers, type Servers } from './measure';
import { median, quantile } from './median';
import { parseCount } from './option-values';
import { cpuSeconds } from './process-usage';
import type { Written } from './rate-writer';
import { measuredBy, tableRow, writeSection } from './results-file';

interface Options extends Servers {
  readonly keys: number;
  readonly rates: readonly number[];
  readonly seconds: number;
  readonly rounds: number;
  readonly write: boolean;
}

const program = withServers(
  new Command('npm run bench:live --')
    .description(
      'What following costs the source, how far behind the target is, and how long a cut-over takes. RIOT_BIN names the riot command, where its live mode is to be measured as well.',
    )
    .option('--keys <n>', 'keys that the source has before', parseCount, 300_000)
    .option('--rates <list>', 'writes a second', (text) => text.split(',').map(parseCount), [2_000, 10_000, 30_000])
    .option('--seconds <n>', 'for how long each is measured', parseCount, 20)
    .option('--rounds <n>', 'rounds; the median of each value counts', parseCount, 3)
    .option('--write', 'write the section "Live" of bench/RESULTS.md', false),
);

/** Microseconds of CPU time of the source for one write; by whom else it is used. */
interface SourceCost {
  readonly alone: number;
  /** A feed is open, and nothing is read. */
  readonly told: number;
  readonly followed: number;
}

interface Round extends SourceCost {
  readonly perSecond: number;
  /** Of one core, in percent. */
  readonly appCpu: number;
  readonly targetCpu: number;
  /** From a write to the source until the target has it, ms. */
  readonly lags: readonly number[];
  /** Changed keys that were left when the source was quiet, until all was proved, and from the last write to the verdict, ms. */
  readonly left: number;
  readonly drainMs: number;
  readonly pauseMs: number;
}

const CUTOVER_WANTED_MS = 5_000;
const PATIENCE_MS = 600_000;
const MARKER = 'bench:marker';
const MARKER_PAUSE_MS = 20;

/** A writer in a process of its own. */
class RateWriter {
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;
  private readonly ended: Promise<unknown>;

  constructor(source: RunningServer, perSecond: number) {
    this.child = spawn(process.execPath, [path.join(__dirname, 'rate-writer.js'), source.url, String(perSecond)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.ended = once(this.child, 'exit');
    if (this.child.stdout === null) throw new Error('unreachable');
    this.lines = createInterface(this.child.stdout)[Symbol.asyncIterator]();
  }

  async written(): Promise<number> {
    this.child.stdin?.write('\n');
    return await this.told();
  }

  /** Ends it. Resolves when all that it sent is answered. */
  async stop(): Promise<void> {
    this.child.stdin?.end();
    await this.ended;
  }

  private async told(): Promise<number> {
    const line = await this.lines.next();
    if (line.done === true) throw new Error('The writer ended.');
    return (JSON.parse(line.value) as Written).commands;
  }
}

/** What a while cost the source for each write. */
async function costOf(
  source: RunningServer,
  writer: RateWriter,
  work: () => Promise<unknown>,
): Promise<{ readonly micros: number; readonly perSecond: number; readonly seconds: number }> {
  const [cpu, commands, began] = [cpuSeconds(source.pid), await writer.written(), performance.now()];
  await work();
  const done = (await writer.written()) - commands;
  const seconds = (performance.now() - began) / 1_000;
  return { micros: ((cpuSeconds(source.pid) - cpu) * 1e6) / done, perSecond: done / seconds, seconds };
}

async function whileTold(source: RunningServer, work: () => Promise<unknown>): Promise<void> {
  const settings = readConnectionSettings('SOURCE', { REDIS_SOURCE: source.url });
  const nothing = () => undefined;
  const events = { onNames: nothing, onFlush: nothing, onGap: nothing };
  const feed = await openFeeds(
    [{ settings, credentials: undefined, clientName: 'keyferry-bench' }],
    ['tracking'],
    events,
  );
  try {
    await work();
  } finally {
    feed.close();
  }
}

/** How long single writes take to arrive, one after the other, for a while. */
async function lagsFor(ms: number, source: RunningServer, target: RunningServer): Promise<number[]> {
  const [from, to] = [new Redis(source.url), new Redis(target.url)];
  const lags: number[] = [];
  try {
    for (const end = performance.now() + ms; performance.now() < end;) {
      const value = String(lags.length);
      await from.set(MARKER, value);
      const sent = performance.now();
      while ((await to.get(MARKER)) !== value) {
        if (performance.now() - sent > PATIENCE_MS) throw new Error('A write does not arrive.');
        await sleep(1);
      }
      lags.push(performance.now() - sent);
      await sleep(MARKER_PAUSE_MS);
    }
  } finally {
    from.disconnect();
    to.disconnect();
  }
  return lags;
}

interface LiveDocument {
  readonly state: string;
  readonly finishedAt: string | null;
  readonly cause: string | null;
  readonly live: {
    readonly phase: string;
    readonly notReady: string | null;
    readonly gaps: number;
    readonly cutover: { readonly proof: { readonly names: number; readonly drainMs: number } | null } | null;
  } | null;
}

async function documentWhen(
  app: RunningApp,
  id: string,
  wanted: (document: LiveDocument) => boolean,
): Promise<LiveDocument> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const document = await documentOf<LiveDocument>(app, id);
    if (document !== undefined && wanted(document)) return document;
    if (document !== undefined && document.finishedAt !== null)
      throw new Error(`${document.state}: ${document.cause ?? ''}`);
    if (performance.now() > end) throw new Error(`Not within ${PATIENCE_MS} ms: ${JSON.stringify(document)}`);
    await sleep(100);
  }
}

async function post(app: RunningApp, route: string, body: unknown): Promise<{ id: string }> {
  const answer = await fetch(app.base + route, { method: 'POST', body: JSON.stringify(body) });
  if (answer.status !== 202) throw new Error(`${route}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as { id: string };
}

async function round(source: RunningServer, target: RunningServer, rate: number, options: Options): Promise<Round> {
  const ms = options.seconds * 1_000;
  await emptied(source);
  await emptied(target);
  await fillServer({ port: source.port, keys: options.keys, seed: 1 });
  const writer = new RateWriter(source, rate);
  let app: RunningApp | undefined;
  try {
    await sleep(1_000);
    const alone = await costOf(source, writer, () => sleep(ms));
    let told = alone;
    await whileTold(source, async () => (told = await costOf(source, writer, () => sleep(ms))));
    const started = (app = await startApp(source, target));
    const { id } = await post(started, '/api/migrations', { source: 'SOURCE', target: 'TARGET', mode: 'live' });
    await documentWhen(started, id, ({ live }) => live?.phase === 'live' && live.notReady === null);
    let lags: number[] = [];
    const cpu = [cpuSeconds(started.pid), cpuSeconds(target.pid)] as const;
    const followed = await costOf(source, writer, async () => (lags = await lagsFor(ms, source, target)));
    const percent = (before: number, pid: number) => ((cpuSeconds(pid) - before) / followed.seconds) * 100;
    const [appCpu, targetCpu] = [percent(cpu[0], started.pid), percent(cpu[1], target.pid)];
    await post(started, `/api/migrations/${id}/cutover`, {});
    await writer.stop();
    const stopped = performance.now();
    const { state, live } = await documentWhen(started, id, ({ finishedAt }) => finishedAt !== null);
    const pauseMs = performance.now() - stopped;
    const keys = [await keysOn([source]), await keysOn([target])] as const;
    if (state !== 'completed' || keys[0] !== keys[1]) throw new Error(`${state}: ${keys.join(' and ')} keys`);
    const { names = 0, drainMs = 0 } = live?.cutover?.proof ?? {};
    return {
      ...{ alone: alone.micros, told: told.micros, followed: followed.micros, perSecond: followed.perSecond },
      ...{ appCpu, targetCpu, lags, left: names, drainMs, pauseMs },
    };
  } finally {
    await writer.stop();
    await app?.end();
  }
}

/** RIOT's live mode, which follows by keyspace notifications: the same numbers, as far as it has them. */
async function roundOfRiot(
  program: string,
  source: RunningServer,
  target: RunningServer,
  rate: number,
  options: Options,
) {
  const ms = options.seconds * 1_000;
  await emptied(target);
  const admin = new Redis(source.url);
  await admin.config('SET', 'notify-keyspace-events', 'KEA');
  const writer = new RateWriter(source, rate);
  const riot = spawn(program, ['replicate', source.url, target.url, '--mode', 'live'], { stdio: 'ignore' });
  try {
    // The first that arrives says that it follows.
    await lagsFor(1, source, target);
    let lags: number[] = [];
    const cost = await costOf(source, writer, async () => (lags = await lagsFor(ms, source, target)));
    return { followed: cost.micros, perSecond: cost.perSecond, lags };
  } finally {
    riot.kill('SIGKILL');
    await writer.stop();
    await admin.config('SET', 'notify-keyspace-events', '');
    admin.disconnect();
  }
}

const HEAD = [
  'writes/s wanted',
  'written/s',
  'source µs CPU/write: alone',
  'told',
  'followed',
  'app CPU %',
  'target CPU %',
  'lag p50 ms',
  'lag p99 ms',
  'names left',
  'drained ms',
  'pause s',
];

function rowOf(rate: number, rounds: readonly Round[]): string[] {
  const of = (value: (one: Round) => number, digits = 0) => median(rounds.map(value)).toFixed(digits);
  return [
    rate.toLocaleString('en'),
    of((one) => one.perSecond),
    of((one) => one.alone, 2),
    of((one) => one.told, 2),
    of((one) => one.followed, 2),
    of((one) => one.appCpu),
    of((one) => one.targetCpu),
    of((one) => quantile(0.5, one.lags), 1),
    of((one) => quantile(0.99, one.lags), 1),
    of((one) => one.left),
    of((one) => one.drainMs),
    of((one) => one.pauseMs / 1_000, 2),
  ];
}

async function main(): Promise<void> {
  const options = program.parse().opts<Options>();
  const riot = process.env.RIOT_BIN;
  const [source, target] = await Promise.all([startServer(options.source), startServer(options.target)]);
  const rows: string[][] = [];
  const ofRiot: string[][] = [];
  let longestPauseMs = 0;
  try {
    for (const rate of options.rates) {
      const rounds: Round[] = [];
      for (let number = 1; number <= options.rounds; number++) {
        const one = await round(source, target, rate, options);
        rounds.push(one);
        console.log(
          `${rate}/s, round ${number}: lag p99 ${quantile(0.99, one.lags).toFixed(1)} ms, pause ${(one.pauseMs / 1_000).toFixed(2)} s`,
        );
      }
      rows.push(rowOf(rate, rounds));
      longestPauseMs = Math.max(longestPauseMs, median(rounds.map((one) => one.pauseMs)));
      if (!riot) continue;
      const one = await roundOfRiot(riot, source, target, rate, options);
      ofRiot.push([
        ...[rate.toLocaleString('en'), one.perSecond.toFixed(0), one.followed.toFixed(2)],
        ...[quantile(0.5, one.lags).toFixed(1), quantile(0.99, one.lags).toFixed(1)],
      ]);
    }
  } finally {
    await Promise.all([source.stop(), target.stop()]);
  }
  const riotHead = ['RIOT, live: writes/s wanted', 'written/s', 'source µs CPU/write', 'lag p50 ms', 'lag p99 ms'];
  const table = (head: readonly string[], body: readonly (readonly string[])[]) => [
    tableRow(head),
    tableRow(head.map(() => '---')),
    ...body.map(tableRow),
  ];
  const lines = [
    `${measuredBy('bench:live')}: ${options.keys.toLocaleString('en')} mixed keys, and a writer of strings, hashes, counters, expiries and deletions of 100,000 names; ${availableParallelism()} shared cores, loopback; ${source.flavour} ${source.version} → ${target.flavour} ${target.version}; ${options.rounds} rounds of ${options.seconds} s, the median of each. Alone: only the writer. Told: a feed is open, and nothing is read. The lag is that of single writes, one after the other; the pause is from the last write to the verdict, two seconds of quiet included.`,
    '',
    ...table(HEAD, rows),
    ...(ofRiot.length === 0 ? [] : ['', ...table(riotHead, ofRiot)]),
    '',
    `- ${(longestPauseMs / 1_000).toFixed(2)} s from the last write to the verdict at most (wanted: below ${CUTOVER_WANTED_MS / 1_000})`,
  ];
  console.log(`\n${lines.join('\n')}`);
  if (options.write) await writeSection('Live', lines);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
