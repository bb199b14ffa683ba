import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';
import { openDebianRelease } from '../../local/servers/debian-packages';
import { repositoryRoot } from '../../local/servers/repository-root';
import { runTool } from '../../local/servers/run-tool';

/** How long a `beforeAll` that starts the browser may take, in ms: the first time on a machine it is downloaded. */
export const browserStartTimeout = 600_000;

/** A program that can be started as a browser, with what it needs in its environment. */
interface FoundBrowser {
  readonly command: string;
  readonly env: Readonly<Record<string, string>>;
}

/** The browser and every library that it loads but the C library, which is the machine's own. */
const suite = 'bookworm';
const packages = [
  'chromium-headless-shell chromium-common fontconfig-config fonts-inter fonts-dejavu-core',
  'libasound2 libasyncns0 libatk1.0-0 libatspi2.0-0 libblkid1 libbrotli1 libbsd0 libcap2 libdav1d6 libdbus-1-3',
  'libdouble-conversion3 libdrm2 libexpat1 libffi8 libflac12 libfontconfig1 libfreetype6 libgbm1 libgcc-s1 libgcrypt20',
  'libglib2.0-0 libgpg-error0 libgraphite2-3 libharfbuzz-subset0 libharfbuzz0b libjpeg62-turbo liblcms2-2 liblz4-1',
  'liblzma5 libmd0 libminizip1 libmount1 libmp3lame0 libmpg123-0 libnspr4 libnss3 libogg0 libopenh264-7 libopenjp2-7',
  'libopus0 libpcre2-8-0 libpng16-16 libpulse0 libselinux1 libsndfile1 libsqlite3-0 libstdc++6 libsystemd0 libudev1',
  'libvorbis0a libvorbisenc2 libwayland-server0 libx11-6 libx11-xcb1 libxau6 libxcb-randr0 libxcb1 libxcomposite1',
  'libxdamage1 libxdmcp6 libxext6 libxfixes3 libxi6 libxkbcommon0 libxnvctrl0 libxrandr2 libxrender1 libzstd1 zlib1g',
].flatMap((line) => line.split(' '));

const folder = () => join(repositoryRoot(), '.chromium', `chromium-${suite}`);

/**
 * Starts a headless Chromium: the one named by CHROMIUM or on the PATH, otherwise one from Debian packages, unpacked into
 * `.chromium/` without installing anything.
 * @returns the browser, or why there is none
 */
export async function startBrowser(): Promise<Browser | { readonly reason: string }> {
  try {
    const { command, env } = (await ownBrowser()) ?? (await unpackedBrowser());
    return await chromium.launch({
      executablePath: command,
      env: { ...process.env, ...env },
      // Chromium's sandbox refuses root, and the pages here are our own.
      chromiumSandbox: false,
    });
  } catch (error) {
    return { reason: `No Chromium here: ${error instanceof Error ? error.message : String(error)}` };
  }
}

async function ownBrowser(): Promise<FoundBrowser | undefined> {
  const named = process.env.CHROMIUM;
  for (const command of named ? [named] : ['chromium', 'chromium-browser', 'google-chrome']) {
    const said = await runTool(command, ['--version'], { timeoutMs: 20_000 }).catch(() => undefined);
    if (said === undefined) continue;
    return { command: command.includes('/') ? command : (await runTool('which', [command])).trim(), env: {} };
  }
  if (named) throw new Error(`CHROMIUM is set to ${named}, which does not start.`);
  return undefined;
}

async function unpackedBrowser(): Promise<FoundBrowser> {
  const target = folder();
  if (!existsSync(target)) await unpack(target);
  const found = inFolder(target);
  // Tells at once and in the loader's own words where the machine's C library is too old.
  await runTool(found.command, ['--version', '--no-sandbox'], { env: found.env, timeoutMs: 60_000 });
  return found;
}

function inFolder(target: string): FoundBrowser {
  const libraries = ['usr/lib', 'lib'].flatMap((base) =>
    (existsSync(join(target, base)) ? readdirSync(join(target, base)) : [])
      .filter((name) => name.endsWith('-linux-gnu'))
      .flatMap((name) => [join(target, base, name), join(target, base, name, 'pulseaudio')]),
  );
  return {
    command: join(target, 'usr/lib/chromium/chromium-headless-shell'),
    env: { LD_LIBRARY_PATH: libraries.join(':'), FONTCONFIG_FILE: join(target, 'fonts.conf') },
  };
}

/** Several processes may do it at the same time: each works in a folder of its own, and the result appears in one step. */
async function unpack(target: string): Promise<void> {
  const work = join(target, '..', `.work-${process.pid}-${randomBytes(4).toString('hex')}`);
  const unpacked = join(work, 'unpacked');
  await mkdir(unpacked, { recursive: true });
  try {
    const release = await openDebianRelease(suite, work);
    await release.unpack(packages, unpacked);
    await writeFile(join(unpacked, 'fonts.conf'), fontSettings(target));
    await rename(unpacked, target).catch((error: unknown) => {
      if (!existsSync(target)) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Only the fonts that came along, so that pictures are the same on every machine. */
function fontSettings(target: string): string {
  const prefer = (family: string, font: string) =>
    `<match target="pattern"><test name="family"><string>${family}</string></test>
  <edit name="family" mode="assign" binding="strong"><string>${font}</string></edit></match>`;
  return `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <dir>${target}/usr/share/fonts</dir>
  <cachedir>${target}/font-cache</cachedir>
  ${prefer('system-ui', 'Inter')}${prefer('sans-serif', 'Inter')}${prefer('monospace', 'DejaVu Sans Mono')}
</fontconfig>
`;
}
