const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]', '::1'];

/** The setting that keeps what goes to this machine itself, its emulator of storage above all, from a proxy of the environment. */
export function withoutProxyForLoopback(
  env: Readonly<Record<string, string | undefined>>,
): Readonly<Record<'NO_PROXY' | 'no_proxy', string>> {
  // The Azure SDK asks for the name in capitals first, others for that in small letters.
  const named = [env.NO_PROXY, env.no_proxy].flatMap((hosts) => hosts?.split(',') ?? []);
  const hosts = new Set([...named.map((host) => host.trim()).filter((host) => host !== ''), ...LOOPBACK]);
  const list = [...hosts].join(',');
  return { NO_PROXY: list, no_proxy: list };
}
