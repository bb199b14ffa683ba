/** The servers that the demo and the tests know by name. */
export const serverNames = ['redis-6.0', 'redis-7.0', 'redis-8.0', 'valkey-8.1'] as const;
export type ServerName = (typeof serverNames)[number];

/** How one named server is made from Debian packages. */
export interface DebianServer {
  /** Debian release whose packages are unpacked. */
  readonly suite: 'bullseye' | 'bookworm' | 'trixie';
  /** The server's program inside the unpacked packages. */
  readonly binary: string;
  /** The server and every library it loads, its own C library among them, so that it runs on any distribution. */
  readonly packages: readonly string[];
}

const libraries = [
  'libc6',
  'libgcc-s1',
  'libstdc++6',
  'libatomic1',
  'libjemalloc2',
  'liblzf1',
  'libsystemd0',
  'libcap2',
  'libzstd1',
];
const olderLibraries = [...libraries, 'libgcrypt20', 'libgpg-error0', 'liblz4-1', 'liblzma5'];
const newerLibraries = [...libraries, 'libssl3t64', 'zlib1g'];

export const debianServers: Readonly<Record<ServerName, DebianServer>> = {
  'redis-6.0': {
    suite: 'bullseye',
    binary: 'usr/bin/redis-server',
    packages: ['redis-server', 'redis-tools', 'libssl1.1', 'liblua5.1-0', 'lua-cjson', 'lua-bitop', ...olderLibraries],
  },
  'redis-7.0': {
    suite: 'bookworm',
    binary: 'usr/bin/redis-server',
    packages: ['redis-server', 'redis-tools', 'libssl3', ...olderLibraries],
  },
  'redis-8.0': {
    suite: 'trixie',
    binary: 'usr/bin/redis-server',
    packages: ['redis-server', 'redis-tools', ...newerLibraries],
  },
  'valkey-8.1': {
    suite: 'trixie',
    binary: 'usr/bin/valkey-server',
    packages: ['valkey-server', 'valkey-tools', ...newerLibraries],
  },
};

/**
 * What a server says of itself for `--version`, for example `Redis server v=7.0.15 sha=…` or `Valkey server v=8.1.1 …`.
 * Undefined for anything else.
 */
export function parseServerVersion(output: string): { flavour: 'redis' | 'valkey'; version: string } | undefined {
  const match = /^(redis|valkey)\b.*?\bv=(\d+(?:\.\d+)+)/im.exec(output);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  return { flavour: match[1].toLowerCase() === 'valkey' ? 'valkey' : 'redis', version: match[2] };
}

/** Whether a server of this flavour and version is the one meant by `name` (same flavour, same major.minor). */
export function satisfies(name: ServerName, server: { flavour: string; version: string }): boolean {
  const [major, minor] = server.version.split('.');
  return name === `${server.flavour}-${major ?? ''}.${minor ?? ''}`;
}
