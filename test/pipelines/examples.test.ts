import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { parseDocument } from 'yaml';
import { openDebianRelease } from '../../local/servers/debian-packages';
import { root } from '../cli/support/command';
import { script } from './support/script';

interface Step {
  readonly run?: string;
  readonly script?: string;
  readonly uses?: string;
  readonly with?: Record<string, unknown>;
  readonly env?: Record<string, string>;
}

function read(name: string): unknown {
  const document = parseDocument(readFileSync(path.join(root, 'docs/pipelines', name), 'utf8'), { uniqueKeys: true });
  expect([...document.errors, ...document.warnings]).toEqual([]);
  return document.toJS();
}

/** What a step calls, with its options; the folder of the script is the one of this repository. */
function expectCall(command: string): void {
  const words = command.trim().split(/\s+/);
  expect(words.slice(0, 2)).toEqual(['sh', 'scripts/migrate-and-wait.sh']);
  expect(existsSync(path.join(root, words[1]!))).toBe(true);
  const help = spawnSync('sh', [script, '--help'], { encoding: 'utf8' }).stdout;
  for (const option of words.filter((word) => word.startsWith('--'))) expect(help).toContain(`  ${option} `);
  // What a run is given may not become a part of the script: it comes through the environment.
  expect(command).not.toContain('${{');
}

test('the GitHub Actions workflow calls the script, with the key from the secrets and least rights', () => {
  const workflow = read('github-actions.yml') as {
    on: { workflow_dispatch: { inputs: Record<string, unknown> } };
    permissions: Record<string, string>;
    concurrency: Record<string, unknown>;
    jobs: Record<string, { 'runs-on': string; 'timeout-minutes': number; steps: Step[] }>;
  };
  expect(Object.keys(workflow.on.workflow_dispatch.inputs)).toEqual(['source', 'target']);
  expect(workflow.permissions).toEqual({ contents: 'read' });
  expect(workflow.concurrency).toMatchObject({ 'cancel-in-progress': false });
  expect(Object.keys(workflow.jobs)).toEqual(['migrate']);
  const { steps } = workflow.jobs.migrate!;
  for (const { uses, run } of steps) expect([uses, run].filter(Boolean)).toHaveLength(1);
  const step = steps.find(({ run }) => run !== undefined);
  expectCall(step?.run ?? '');
  expect(step?.env).toEqual({
    KEYFERRY_URL: '${{ vars.KEYFERRY_URL }}',
    KEYFERRY_KEY: '${{ secrets.KEYFERRY_KEY }}',
    SOURCE: '${{ inputs.source }}',
    TARGET: '${{ inputs.target }}',
  });
  expect(step?.run).toContain(String(steps.find(({ with: given }) => given?.path)?.with?.path));
});

test('the Azure pipeline calls the script, with the key named for the step', () => {
  const pipeline = read('azure-pipelines.yml') as {
    trigger: string;
    parameters: { name: string; type: string }[];
    variables: { group: string }[];
    stages: { jobs: { deployment: string; strategy: { runOnce: { deploy: { steps: Step[] } } } }[] }[];
  };
  expect(pipeline.trigger).toBe('none');
  expect(pipeline.parameters.map(({ name }) => name)).toEqual(['source', 'target']);
  const steps = pipeline.stages.flatMap(({ jobs }) => jobs.flatMap(({ strategy }) => strategy.runOnce.deploy.steps));
  const step = steps.find(({ script: command }) => command !== undefined);
  expectCall(step?.script ?? '');
  expect(step?.env).toEqual({
    KEYFERRY_URL: '$(KEYFERRY_URL)',
    KEYFERRY_KEY: '$(KEYFERRY_KEY)',
    SOURCE: '${{ parameters.source }}',
    TARGET: '${{ parameters.target }}',
  });
});

const KEPT = path.join(root, '.deploy', 'shellcheck');

/** ShellCheck of this machine, or else unpacked from Debian. */
async function findShellCheck(): Promise<string> {
  if (spawnSync('shellcheck', ['--version']).status === 0) return 'shellcheck';
  const program = path.join(KEPT, 'usr/bin/shellcheck');
  if (existsSync(program)) return program;
  const work = path.join(root, '.deploy', `.work-${process.pid}`);
  mkdirSync(work, { recursive: true });
  mkdirSync(KEPT, { recursive: true });
  try {
    await (await openDebianRelease('bookworm', work)).unpack(['shellcheck'], KEPT);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return program;
}

const starts = (tool: string) => spawnSync(tool, ['--version']).status === 0;
const canCheck = starts('shellcheck') || (starts('apt-get') && starts('dpkg'));

(canCheck ? test : test.skip)(
  'ShellCheck has nothing to say (skipped where there is neither ShellCheck nor apt-get)',
  async () => {
    const { status, stdout } = spawnSync(await findShellCheck(), ['--shell=sh', script], { encoding: 'utf8' });
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
  },
  300_000,
);
