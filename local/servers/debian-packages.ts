import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { debianKeyring, mirrorCandidates } from './debian-mirrors';
import { runTool } from './run-tool';

const minutes = 60_000;
const env = { LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' };

/** Packages of one Debian release, downloaded without installing anything and without root. */
export interface PackageSource {
  /** Downloads these packages and unpacks them into `folder`, which must exist. Returns their file names. */
  unpack(packages: readonly string[], folder: string): Promise<string[]>;
}

/**
 * Opens a Debian release: fetches its package index from the first mirror that has it, with apt's whole state in `workFolder`.
 * @throws Error with what each mirror's attempt wrote to standard error, or what to install where apt-get, dpkg or the key ring are missing.
 */
export async function openDebianRelease(suite: string, workFolder: string): Promise<PackageSource> {
  const keyring = debianKeyring();
  if (keyring === undefined) throw new Error('Debian’s keys are missing: install the package debian-archive-keyring.');
  const architecture = (await runTool('dpkg', ['--print-architecture'])).trim();
  const failures: string[] = [];
  for (const [index, mirror] of (await mirrorCandidates()).entries()) {
    const folder = join(workFolder, `${suite}-${index}`);
    const config = await writeAptConfig(folder, `deb [signed-by=${keyring}] ${mirror} ${suite} main`, architecture);
    try {
      await runTool('apt-get', ['update', '-q', '-c', config], { env, timeoutMs: 5 * minutes });
      return { unpack: (packages, target) => unpack(config, folder, packages, target) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw error;
      failures.push(`${withoutSecret(mirror)}: ${withoutSecret((error as Error).message)}`);
    }
  }
  throw new Error(failures.join('\n'));
}

async function writeAptConfig(folder: string, source: string, architecture: string): Promise<string> {
  await mkdir(join(folder, 'state/lists/partial'), { recursive: true });
  await mkdir(join(folder, 'cache/archives/partial'), { recursive: true });
  await writeFile(join(folder, 'sources.list'), `${source}\n`);
  await writeFile(join(folder, 'status'), '');
  const settings: Record<string, string> = {
    'APT::Architecture': architecture,
    'APT::Architectures': architecture,
    'APT::Sandbox::User': '',
    'APT::Update::Error-Mode': 'any',
    'Acquire::Check-Valid-Until': 'false',
    'Acquire::Languages': 'none',
    'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled': 'false',
    'Acquire::Retries': '3',
    'Dir::State': join(folder, 'state'),
    'Dir::State::lists': join(folder, 'state/lists'),
    'Dir::State::status': join(folder, 'status'),
    'Dir::Cache': join(folder, 'cache'),
    'Dir::Cache::archives': join(folder, 'cache/archives'),
    'Dir::Etc::sourcelist': join(folder, 'sources.list'),
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::Etc::preferences': '/dev/null',
    'Dir::Etc::preferencesparts': '/dev/null',
  };
  // The machine's own settings stay in force (a proxy, for instance), but not what it wants done after an update or to indexes.
  const cleared = [
    'APT::Architectures',
    'APT::Update::Pre-Invoke',
    'APT::Update::Post-Invoke',
    'APT::Update::Post-Invoke-Success',
  ];
  const lines = [
    ...cleared.map((name) => `#clear ${name};`),
    ...Object.entries(settings).map(([name, value]) => `${name} "${value}";`),
  ];
  const config = join(folder, 'apt.conf');
  await writeFile(config, `${lines.join('\n')}\n`);
  return config;
}

async function unpack(config: string, folder: string, packages: readonly string[], target: string): Promise<string[]> {
  const downloads = join(folder, 'downloads', packages[0] ?? '');
  await mkdir(downloads, { recursive: true });
  await runTool('apt-get', ['download', '-q', '-c', config, ...packages], {
    env,
    cwd: downloads,
    timeoutMs: 10 * minutes,
  });
  const files = (await readdir(downloads)).filter((name) => name.endsWith('.deb')).sort();
  for (const file of files) await runTool('dpkg', ['-x', join(downloads, file), target], { env });
  return files;
}

/** A mirror's address may carry a password. */
function withoutSecret(text: string): string {
  return text.replace(/\/\/[^/\s@]+@/g, '//');
}
