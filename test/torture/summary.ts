import type { Outcome } from './run-scenario';

/** Adds up a run. */
export class Summary {
  scenarios = 0;
  violated = 0;
  private readonly modes = new Map<string, number>();
  private readonly verdicts = new Map<string, number>();
  private readonly faults = new Map<string, number>();
  private readonly kinds = new Map<string, number[]>();
  private readonly errors: string[] = [];

  add({ scenario, verdict, events, violations }: Outcome): void {
    this.scenarios++;
    if (violations.length > 0) this.violated++;
    count(this.modes, nameOf(scenario.request));
    count(this.verdicts, verdict);
    for (const { what, error } of events) {
      count(this.faults, what.replace(/ \((source|target)\)$/, ' ($1)'));
      if (error !== undefined) this.errors.push(`${scenario.seed} ${what}: ${error.split('\n')[0] ?? ''}`);
    }
    for (const { kind } of violations) this.kinds.set(kind, [...(this.kinds.get(kind) ?? []), scenario.seed]);
  }

  /** Something of the torture itself went wrong. */
  broke(seed: number, error: unknown): void {
    this.errors.push(`${seed}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    this.kinds.set('the run itself', [...(this.kinds.get('the run itself') ?? []), seed]);
    this.violated++;
  }

  text(): string {
    const lines = [`${this.scenarios} scenarios, ${this.violated} with violations`];
    const table = (title: string, counts: ReadonlyMap<string, number>) => {
      lines.push(
        `${title}: ${sorted(counts)
          .map(([name, times]) => `${name} ${times}`)
          .join(', ')}`,
      );
    };
    table('modes', this.modes);
    table('verdicts', this.verdicts);
    table('faults', this.faults);
    if (this.errors.length > 0) {
      lines.push(
        `faults that could not be done, ${this.errors.length}:`,
        ...this.errors.slice(0, 10).map((e) => `  ${e}`),
      );
    }
    for (const [kind, seeds] of this.kinds) {
      lines.push(`VIOLATION ${kind}, ${seeds.length} times: --scenario-seed ${seeds.slice(0, 10).join(' ')}`);
    }
    return lines.join('\n');
  }
}

export function nameOf({ mode, deleteExtra }: Outcome['scenario']['request']): string {
  return deleteExtra ? `${mode} deleteExtra` : mode;
}

/** One line on a scenario. */
export function lineOf(number: number, outcome: Outcome): string {
  const { scenario, verdict, seconds, events, violations } = outcome;
  const { request, source, target, keys, writers } = scenario;
  const write = [
    writers.source > 0 ? 'source' : '',
    writers.target > 0 ? 'target' : '',
    writers.rewriting ? 'big' : '',
  ];
  const written = write.filter(Boolean).join('+');
  const faults = events.map(({ what }) => what).join(', ');
  const more = [
    request.onConflict === 'skip' ? 'skip' : '',
    request.databases ? 'map' : '',
    request.prefixes.length > 0 ? 'select' : '',
    scenario.targetBefore,
  ];
  const head = `#${number} seed ${scenario.seed} ${nameOf(request)} ${request.verify} ${more.filter(Boolean).join(' ')}`;
  const found = violations.map(({ kind, count }) => ` ${kind}${count > 0 ? `(${count})` : ''}`).join('');
  return (
    `${head}, ${source.server}→${target.server}, ${keys} keys${written === '' ? '' : `, writers ${written}`}` +
    ` [${faults}] → ${verdict} in ${seconds.toFixed(1)} s${found === '' ? '' : ` VIOLATION${found}`}`
  );
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

function sorted(counts: ReadonlyMap<string, number>): [string, number][] {
  return [...counts].sort(([, a], [, b]) => b - a);
}
