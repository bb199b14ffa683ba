import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export const root = path.resolve(__dirname, '../../..');
export const infra = path.join(root, 'infra');

const VERSION = '0.49.2';
const PACKAGE = 'Azure.Bicep.CommandLine.linux-x64';
const folder = path.join(root, '.deploy', 'bicep');
const program = path.join(folder, 'packages', PACKAGE.toLowerCase(), VERSION, 'tools', 'bicep');

export interface Said {
  readonly code: number | null;
  readonly stdout: string;
  /** Diagnostics; nothing where all is well. */
  readonly stderr: string;
}

/**
 * Brings the Bicep compiler as a NuGet package, once.
 * @returns why it is not there; undefined where it is
 */
export function bringBicep(): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'the compiler is brought for Linux on x64 only';
  if (existsSync(program)) return undefined;
  if (spawnSync('dotnet', ['--version']).status !== 0) return 'there is no dotnet';
  mkdirSync(folder, { recursive: true });
  const project = path.join(folder, 'bicep.csproj');
  writeFileSync(
    project,
    `<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <TargetFramework>net8.0</TargetFramework>
    <RestorePackagesPath>packages</RestorePackagesPath>
    <DisableImplicitFrameworkReferences>true</DisableImplicitFrameworkReferences>
  </PropertyGroup>
  <ItemGroup>
    <PackageDownload Include="${PACKAGE}" Version="[${VERSION}]" />
  </ItemGroup>
</Project>
`,
  );
  const { status, stdout } = spawnSync('dotnet', ['restore', project], { encoding: 'utf8', timeout: 180_000 });
  return status === 0 && existsSync(program) ? undefined : `dotnet restore did not bring it: ${stdout.slice(-500)}`;
}

export function bicep(...args: string[]): Said {
  // It lives too briefly for what .NET would gain by watching how code is used.
  const env = { ...process.env, DOTNET_TieredPGO: '0' };
  const { status, stdout, stderr } = spawnSync(program, args, {
    encoding: 'utf8',
    cwd: infra,
    maxBuffer: 64 << 20,
    env,
  });
  return { code: status, stdout, stderr };
}

export interface PredictedResource {
  readonly type: string;
  readonly name: string;
  readonly sku?: { readonly name: string };
  readonly properties: Record<string, unknown>;
  readonly tags?: Record<string, string>;
}

export interface Snapshot {
  readonly predictedResources: PredictedResource[];
  readonly diagnostics: unknown[];
  readonly outputs?: Record<string, unknown>;
}

/**
 * What a deployment of a template with these parameters would make, as the expression engine of Azure Resource Manager
 * works it out without Azure. What only Azure knows stays an expression.
 */
export function snapshot(template: string, parameters: Record<string, unknown>): Snapshot {
  mkdirSync(path.join(root, '.deploy'), { recursive: true });
  const work = mkdtempSync(path.join(root, '.deploy', 'snapshot-'));
  try {
    const file = path.join(work, 'test.bicepparam');
    const lines = Object.entries(parameters).map(([name, value]) => `param ${name} = ${literal(value)}`);
    writeFileSync(file, [`using '../../infra/${template}'`, ...lines, ''].join('\n'));
    const ids = ['--subscription-id', id(4), '--tenant-id', id(5), '--location', 'westeurope'];
    const { code, stderr, stdout } = bicep('snapshot', file, '--mode', 'overwrite', ...ids);
    if (code !== 0) throw new Error(stderr + stdout);
    return JSON.parse(readFileSync(path.join(work, 'test.snapshot.json'), 'utf8')) as Snapshot;
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** 44444444-4444-4444-4444-444444444444 for 4. */
export function id(digit: number): string {
  return '00000000-0000-0000-0000-000000000000'.replaceAll('0', String(digit));
}

/** A value as Bicep writes it. */
function literal(value: unknown): string {
  if (Array.isArray(value)) return `[\n${value.map(literal).join('\n')}\n]`;
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).map(([name, field]) => `${name}: ${literal(field)}`);
    return `{\n${fields.join('\n')}\n}`;
  }
  if (typeof value === 'string') return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  return JSON.stringify(value);
}
