import { setTimeout as sleep } from 'node:timers/promises';
import { fillServer } from '../../../demo/generate';
import type { MigrationReport } from '../../../src/migration/report';
import { until, type AppProcess } from '../../tools/app-process';
import { startLiveWriter, type LiveWriter } from '../../tools/live-writer';
import { startProxy } from '../../../local/servers/proxy';
import { compareServers, digestOfLiving, Stage, type Side } from '../../tools/stage';
import type { LiveFault, LiveScenario } from './live-scenario';

/** What came of a scenario. */
export interface LiveOutcome {
  readonly scenario: LiveScenario;
  /** What is not as it must be; empty where all is well. */
  readonly wrong: readonly string[];
  readonly report: MigrationReport | undefined;
  readonly longestLagMs: number;
  /** From the last write on until the verdict, ms. */
  readonly pauseMs: number;
  readonly ms: number;
  readonly log: string;
}

const PATIENCE_MS = 600_000;
const LOOK_MS = 500;
/** Longer than half a silence: whoever follows must have stopped meanwhile. */
const FROZEN_MS = 4_000;
/** Longer than anybody waits for a sign. */
const LONG_FROZEN_MS = 10_000;
const AWAY_MS = 60_000;
/** The emulator has on disk by then what it had answered: killed sooner, it would lose the very row that a start was answered for. */
const WRITTEN_MS = 8_000;
const MOST_TOLD = 20;

const inStep = ({ live }: MigrationReport) => live?.phase === 'live' && live.notReady === null;

/** Runs a scenario on servers of its own, and holds what it ends with against what is so. Throws where it cannot be run. */
export async function runLive(scenario: LiveScenario): Promise<LiveOutcome> {
  const stage = new Stage();
  const began = performance.now();
  let run: LiveRun | undefined;
  try {
    const old = await stage.side(scenario.source);
    const neu = await stage.side(scenario.target);
    const slow = await startProxy(
      () => Number(new URL(neu.server.url).port),
      (client, server) => {
        client.on('data', (chunk) => setTimeout(() => server.write(chunk), scenario.slowMs));
        server.pipe(client);
      },
    );
    try {
      const app = await stage.app({
        ...stage.connections({ OLD: old, NEW: neu }),
        ...(scenario.slowMs === 0 ? {} : { REDIS_NEW: slow.url }),
        KEYFERRY_SILENCE_SECONDS: '3',
        KEYFERRY_CHECKPOINT_SECONDS: '1',
      });
      run = new LiveRun(scenario, app, old, neu);
      const wrong = await run.run();
      const { report, longestLagMs, pauseMs } = run;
      return { scenario, wrong, report, longestLagMs, pauseMs, ms: performance.now() - began, log: app.log };
    } finally {
      await run?.end();
      await slow.close();
    }
  } finally {
    await stage.clear();
  }
}

class LiveRun {
  report: MigrationReport | undefined;
  longestLagMs = 0;
  pauseMs = 0;
  private writer: LiveWriter | undefined;
  private begunAt = 0;
  private isOver = false;

  constructor(
    private readonly scenario: LiveScenario,
    private readonly app: AppProcess,
    private readonly old: Side,
    private readonly neu: Side,
  ) {}

  /** Nothing is written or watched any more, however it ended. */
  async end(): Promise<void> {
    this.isOver = true;
    await this.writer?.stop().catch(() => undefined);
  }

  /** @returns what is not as it must be */
  async run(): Promise<string[]> {
    const { scenario, app, old, neu } = this;
    await fillServer({ url: old.server.url, keys: scenario.keys, seed: scenario.seed });
    this.writer = await this.write(old);
    const id = await app.migrate({ source: 'OLD', target: 'NEW', mode: 'live', force: true });
    this.begunAt = performance.now();
    const watching = this.watch(id);
    await this.befall();
    await this.askedFor(id, scenario.reverse);
    // Writers do not stop at once when they are told to.
    await sleep(1_000);
    await this.writer.stop();
    if (scenario.sentBack) await this.sendBack(id);
    const stopped = performance.now();
    const report = await this.when(id, ({ finishedAt }) => finishedAt !== null);
    this.pauseMs = performance.now() - stopped;
    await watching;
    const wrong = await this.judge(report, old, neu);
    return scenario.reverse && wrong.length === 0 ? await this.leadBack(id) : wrong;
  }

  private async write({ server }: Side): Promise<LiveWriter> {
    const { writer, seed } = this.scenario;
    return await startLiveWriter(server, { ...writer, seed });
  }

  /** The report as soon as it is as wanted, whatever happens to the app meanwhile. */
  private async when(id: string, wanted: (report: MigrationReport) => boolean): Promise<MigrationReport> {
    const end = performance.now() + PATIENCE_MS;
    for (;;) {
      const report = await this.app.report(id).catch(() => undefined);
      if (report !== undefined) {
        this.report = report;
        if (wanted(report) || report.finishedAt !== null) return report;
      }
      if (performance.now() > end) throw new Error(`Not within ${PATIENCE_MS} ms: ${JSON.stringify(this.report)}`);
      await sleep(100);
    }
  }

  private async watch(id: string): Promise<void> {
    while (!this.isOver) {
      const report = await this.app.report(id).catch(() => undefined);
      if (report?.live?.repaired === true) this.longestLagMs = Math.max(this.longestLagMs, report.live.lagMs);
      if (report !== undefined && report.finishedAt !== null) return;
      await sleep(LOOK_MS);
    }
  }

  private async befall(): Promise<void> {
    const began = performance.now();
    const at = (ms: number) => sleep(Math.max(0, ms - (performance.now() - began)));
    for (const { name, atMs } of this.scenario.faults) {
      await at(atMs);
      await this.act(name);
    }
    await at(this.scenario.ms);
  }

  private async act(name: LiveFault): Promise<void> {
    const { app, old, neu } = this;
    const storage = app.azurite()?.pid;
    switch (name) {
      case 'one reader is cut off':
        await this.cutReaders(1);
        break;
      case 'both readers are cut off':
        await this.cutReaders(2);
        break;
      case 'app is killed':
        await app.kill();
        await app.begin();
        break;
      case 'app and storage are killed':
        await sleep(Math.max(0, this.begunAt + WRITTEN_MS - performance.now()));
        await app.kill();
        if (storage !== undefined) process.kill(storage, 'SIGKILL');
        await app.begin();
        break;
      case 'storage stands still':
      case 'storage is away for a minute':
        if (storage === undefined) break;
        process.kill(storage, 'SIGSTOP');
        await sleep(name === 'storage stands still' ? FROZEN_MS : AWAY_MS);
        process.kill(storage, 'SIGCONT');
        break;
      case 'app is frozen':
        app.signal('SIGSTOP');
        await sleep(LONG_FROZEN_MS);
        app.signal('SIGCONT');
        break;
      case 'source restarts':
        await old.client.save();
        await old.server.restart();
        break;
      case 'target restarts':
        await neu.client.save();
        await neu.server.restart();
        break;
      case 'source is flushed':
        await old.client.flushdb();
    }
  }

  private async cutReaders(most: number): Promise<void> {
    const clients = String(await this.old.client.client('LIST', 'TYPE', 'PUBSUB'));
    const ids = Array.from(clients.matchAll(/^id=(\d+)/gm), ([, id = '']) => id);
    for (const id of ids.slice(0, most)) await this.old.client.client('KILL', 'ID', id).catch(() => undefined);
  }

  /** Asks for the cut-over until that is not refused. */
  private async askedFor(id: string, reverse: boolean): Promise<void> {
    for (;;) {
      const report = await this.when(id, inStep);
      if (report.finishedAt !== null) return;
      const { status } = await this.app.request('POST', `/api/migrations/${id}/cutover`, { reverse });
      if (status === 202) return;
      await sleep(200);
    }
  }

  private async sendBack(id: string): Promise<void> {
    const report = await this.when(id, ({ live }) => (live?.cutover?.quietSince ?? null) !== null);
    if (report.finishedAt === null) await this.old.client.set('live:late', 'written after it was quiet');
  }

  private async judge(report: MigrationReport, source: Side, target: Side): Promise<string[]> {
    const wrong: string[] = [];
    if (report.state !== 'completed') wrong.push(`${report.state}: ${report.cause ?? report.warnings.join(' ')}`);
    if ((await digestOfLiving(source)) === (await digestOfLiving(target))) return wrong;
    const { differences } = await compareServers(source, target);
    return [...wrong, 'The digests differ.', ...differences.slice(0, MOST_TOLD)];
  }

  private async leadBack(forward: string): Promise<string[]> {
    const { live } = await this.when(forward, (report) => {
      const state = report.live?.cutover?.wayBack?.state;
      return state === 'started' || state === 'refused';
    });
    let back = live?.cutover?.wayBack;
    await until(async () => {
      back = (await this.app.report(forward)).live?.cutover?.wayBack;
      return back?.state === 'started' || back?.state === 'refused';
    }, PATIENCE_MS);
    const id = back?.migration ?? null;
    if (id === null) return [`The way back was refused: ${back?.refused ?? ''}`];
    this.writer = await this.write(this.neu);
    await this.when(id, inStep);
    await this.askedFor(id, false);
    await this.writer.stop();
    const report = await this.when(id, ({ finishedAt }) => finishedAt !== null);
    return await this.judge(report, this.neu, this.old);
  }
}
