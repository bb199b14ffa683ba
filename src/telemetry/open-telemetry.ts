import {
  context,
  isSpanContextValid,
  metrics,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
} from '@opentelemetry/api';
import { logs, SeverityNumber } from '@opentelemetry/api-logs';
import type { Counts } from '../migration/counts';
import { sideNames, type SideName } from '../migration/phases';
import { shardReport, type Shards } from '../migration/shards';
import { RedisError } from '../redis/errors';
import { formatTraceparent, parseTraceparent } from './trace-context';
import type { ProgressSeen, RangeEnd, RangeOfWork, Severity, Telemetry } from './telemetry';

const SCOPE = 'keyferry';

/** What may become of a key, each an attribute `keyferry.outcome` of its own. */
const OUTCOMES = [
  'copied',
  'converted',
  'skippedByFilter',
  'skippedByConflict',
  'expired',
  'failed',
  'missing',
] as const satisfies readonly (keyof Counts)[];

/** From a tenth of a millisecond, as pages on the same machine take, to ten seconds. */
const CALL_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const RANGE_BUCKETS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 120, 240, 600];

const SEVERITIES: Readonly<Record<Severity, SeverityNumber>> = {
  info: SeverityNumber.INFO,
  warn: SeverityNumber.WARN,
  error: SeverityNumber.ERROR,
};

/** Attributes are made once, not for each page; of migrations beyond this the oldest are made anew. */
const REMEMBERED = 64;

/**
 * Telemetry over the API of OpenTelemetry: whoever has registered providers before gets it. Metrics count the work that
 * was done; a range that is worked on again after a crash counts again, other than in the ledger.
 */
export class OpenTelemetry implements Telemetry {
  readonly on = true;
  private readonly tracer = trace.getTracer(SCOPE);
  private readonly logger = logs.getLogger(SCOPE);
  private readonly meter = metrics.getMeter(SCOPE);
  private readonly keys = this.meter.createCounter('keyferry.keys', {
    unit: '{key}',
    description: 'Keys by what became of them.',
  });
  private readonly bytes = this.meter.createCounter('keyferry.bytes', {
    unit: 'By',
    description: 'Payload bytes written to the target.',
  });
  private readonly foundCounter = this.meter.createCounter('keyferry.findings', {
    unit: '{finding}',
    description: 'Findings written.',
  });
  private readonly endedCounter = this.meter.createCounter('keyferry.migrations.ended', {
    unit: '{migration}',
    description: 'Migrations that got their verdict, by it.',
  });
  private readonly rangeDuration = this.meter.createHistogram('keyferry.range.duration', {
    unit: 's',
    description: 'Time that one message was worked on, by how that ended.',
    advice: { explicitBucketBoundaries: RANGE_BUCKETS },
  });
  private readonly pageDuration = this.meter.createHistogram('keyferry.page.duration', {
    unit: 's',
    description: 'Time of one call for a page of keys, with the network, by side.',
    advice: { explicitBucketBoundaries: CALL_BUCKETS },
  });
  private readonly serverDuration = this.meter.createHistogram('keyferry.page.server_duration', {
    unit: 's',
    description: 'Time that a server says it worked on one page of keys, by side.',
    advice: { explicitBucketBoundaries: CALL_BUCKETS },
  });
  private readonly percent = this.meter.createGauge('keyferry.progress', {
    unit: '%',
    description: 'How far a migration is; 100 only when it has ended well.',
  });
  private readonly rate = this.meter.createGauge('keyferry.rate', {
    unit: '{key}/s',
    description: 'Keys a second over the last seconds.',
  });
  private readonly rangesLeft = this.meter.createGauge('keyferry.ranges.left', {
    unit: '{range}',
    description: 'Ranges of the phase that are not settled.',
  });
  private readonly rangesFailed = this.meter.createGauge('keyferry.ranges.failed', {
    unit: '{range}',
    description: 'Ranges of the phase that failed.',
  });
  private readonly findingsSeen = this.meter.createGauge('keyferry.findings.total', {
    unit: '{finding}',
    description: 'Findings of a migration so far, from the ledger.',
  });
  private readonly quiet = this.meter.createGauge('keyferry.quiet', {
    unit: 's',
    description: 'For how long nothing was done in a running migration.',
  });
  private readonly lag = this.meter.createGauge('keyferry.live.lag', {
    unit: 's',
    description: 'Of a source that is followed: the age of the oldest change that is not on the target.',
  });
  private readonly waiting = this.meter.createGauge('keyferry.live.waiting', {
    unit: '{key}',
    description: 'Of a source that is followed: changed keys that are to be applied.',
  });
  private readonly gaps = this.meter.createGauge('keyferry.live.gaps', {
    unit: '{gap}',
    description: 'Of a source that is followed: how often changes may have been missed.',
  });
  private readonly shardKeys = this.meter.createGauge('keyferry.shard.keys', {
    unit: '{key}',
    description: 'Of a side that is a cluster: keys of a master, by the first of its slots.',
  });
  private readonly shardPercent = this.meter.createGauge('keyferry.shard.progress', {
    unit: '%',
    description: 'Of a side that is a cluster: how much of the slots of a master is behind the walk.',
  });
  private readonly shardTrouble = this.meter.createGauge('keyferry.shard.trouble', {
    description: 'Of a side that is a cluster: 1 where a master does not answer, or holds up the work.',
  });
  private readonly known = new Map<string, ReadonlyMap<string, Attributes>>();

  /** @param end sends what is not sent yet and ends the providers */
  constructor(private readonly end: () => Promise<void>) {}

  traceparent(): string | undefined {
    const active = trace.getActiveSpan()?.spanContext();
    return active !== undefined && isSpanContextValid(active) ? formatTraceparent(active) : undefined;
  }

  async inStart<T>(traceparent: string | undefined, work: () => Promise<T>): Promise<T> {
    const given = parseTraceparent(traceparent);
    // The host's own span is nearer than what the caller sent: it has that as its parent.
    const parent =
      given === undefined || trace.getSpanContext(context.active()) !== undefined
        ? context.active()
        : trace.setSpanContext(context.active(), given);
    return await this.inSpan('keyferry.start', { kind: SpanKind.PRODUCER }, parent, async () => work());
  }

  async inRange({ migration, range, traceparent }: RangeOfWork, work: () => Promise<RangeEnd>): Promise<void> {
    const start = parseTraceparent(traceparent);
    const attributes = { 'keyferry.migration': migration, 'keyferry.range': range };
    const links = start === undefined ? [] : [{ context: start }];
    const began = performance.now();
    let end: RangeEnd = 'failed';
    try {
      await this.inSpan(
        'keyferry.range',
        { kind: SpanKind.CONSUMER, attributes, links },
        context.active(),
        async () => {
          end = await work();
          trace.getActiveSpan()?.setAttribute('keyferry.end', end);
        },
      );
    } finally {
      const seconds = (performance.now() - began) / 1_000;
      this.rangeDuration.record(seconds, this.attributes(migration, 'keyferry.end', end));
    }
  }

  page(migration: string, counts: Partial<Counts>): void {
    for (const outcome of OUTCOMES) {
      const keys = counts[outcome];
      if (keys) this.keys.add(keys, this.attributes(migration, 'keyferry.outcome', outcome));
    }
    if (counts.bytes) this.bytes.add(counts.bytes, this.attributes(migration));
    if (counts.findings) this.foundCounter.add(counts.findings, this.attributes(migration));
  }

  call(side: SideName, migration: string, seconds: number, serverSeconds?: number): void {
    const attributes = this.attributes(migration, 'keyferry.side', side);
    this.pageDuration.record(seconds, attributes);
    if (serverSeconds !== undefined) this.serverDuration.record(serverSeconds, attributes);
  }

  progress(seen: ProgressSeen): void {
    const { migration, ranges } = seen;
    const attributes = this.attributes(migration);
    this.percent.record(seen.percent, attributes);
    this.rate.record(seen.keysPerSecond, attributes);
    this.rangesLeft.record(
      Math.max(0, ranges.total - ranges.done - ranges.failed),
      this.attributes(migration, 'keyferry.phase', seen.phase),
    );
    this.rangesFailed.record(ranges.failed, this.attributes(migration, 'keyferry.phase', seen.phase));
    this.findingsSeen.record(seen.findings, attributes);
    this.quiet.record(seen.ended ? 0 : seen.stalledSeconds, attributes);
    if (seen.live !== undefined) {
      this.lag.record(seen.live.lagMs / 1_000, attributes);
      this.waiting.record(seen.live.waiting, attributes);
      this.gaps.record(seen.live.gaps, attributes);
    }
    for (const side of sideNames) this.shards(migration, side, seen.shards);
    if (!seen.ended) return;
    this.endedCounter.add(1, this.attributes(migration, 'keyferry.state', seen.state));
    const severity = seen.state === 'failed' ? 'error' : seen.state === 'completedWithDifferences' ? 'warn' : 'info';
    this.log(severity, 'Migration ended', { 'keyferry.migration': migration, 'keyferry.state': seen.state });
  }

  private shards(migration: string, side: SideName, shards: Shards | undefined): void {
    for (const shard of shards?.[side] ?? []) {
      const attributes = {
        'keyferry.migration': migration,
        'keyferry.side': side,
        'keyferry.shard': String(shard.slots[0]?.[0] ?? ''),
      };
      const { keys, percent, trouble } = shardReport(shard);
      if (keys !== null) this.shardKeys.record(keys, attributes);
      if (percent !== null) this.shardPercent.record(percent, attributes);
      this.shardTrouble.record(trouble === null ? 0 : 1, attributes);
    }
  }

  log(severity: Severity, message: string, attributes: Readonly<Record<string, string | number>>): void {
    this.logger.emit({
      severityNumber: SEVERITIES[severity],
      severityText: severity.toUpperCase(),
      body: message,
      attributes: { ...attributes },
    });
  }

  async shutdown(): Promise<void> {
    await this.end();
  }

  /** Errors leave their kind in the span and no message, since servers' messages may repeat arguments. */
  private async inSpan<T>(
    name: string,
    options: Parameters<typeof this.tracer.startSpan>[1],
    parent: Context,
    work: () => Promise<T>,
  ): Promise<T> {
    const span = this.tracer.startSpan(name, options, parent);
    try {
      return await context.with(trace.setSpan(parent, span), work);
    } catch (error) {
      span.setAttribute('error.type', errorType(error));
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      span.end();
    }
  }

  private attributes(migration: string, name = '', value = ''): Attributes {
    let ofMigration = this.known.get(migration) as Map<string, Attributes> | undefined;
    if (ofMigration === undefined) {
      ofMigration = new Map();
      this.known.set(migration, ofMigration);
      const oldest = this.known.size > REMEMBERED ? this.known.keys().next().value : undefined;
      if (oldest !== undefined) this.known.delete(oldest);
    }
    const id = `${name}=${value}`;
    let attributes = ofMigration.get(id);
    if (attributes === undefined) {
      attributes = { 'keyferry.migration': migration, ...(name === '' ? {} : { [name]: value }) };
      ofMigration.set(id, attributes);
    }
    return attributes;
  }
}

/** What an error is called in spans: of a Redis its kind, otherwise its class. */
function errorType(error: unknown): string {
  if (error instanceof RedisError) return error.kind;
  return error instanceof Error ? error.name : 'unknown';
}
