import type { LoadedModule } from '../payload/payload-server';
import type { Reply } from './redis-port';

/**
 * The modules of a server, with their versions, from the replies of MODULE LIST and INFO modules; undefined where
 * neither tells them all.
 * @param list undefined where it is refused
 * @param info empty where it is refused
 */
export function parseModules(list: Reply | undefined, info: string): readonly LoadedModule[] | undefined {
  const modules = Array.isArray(list) ? list.map(fromList) : fromInfo(info);
  return modules?.every((module) => module !== undefined) ? modules : undefined;
}

/** Names and values in turn: "name", "bf", "ver", 20812, … */
function fromList(entry: Reply): LoadedModule | undefined {
  if (!Array.isArray(entry)) return undefined;
  const fields = new Map<string, Reply | undefined>();
  for (let i = 0; i + 1 < entry.length; i += 2) fields.set(String(entry[i]), entry[i + 1]);
  return loadedModule(fields.get('name'), fields.get('ver'));
}

/** "module:name=bf,ver=20812,…" a line; undefined for servers that have no such section. */
function fromInfo(info: string): (LoadedModule | undefined)[] | undefined {
  if (!/^# Modules/m.test(info)) return undefined;
  return [...info.matchAll(/^module:(.*)$/gm)].map(([, line = '']) => {
    const field = (name: string) => new RegExp(`(?:^|,)${name}=([^,\\r]+)`).exec(line)?.[1];
    return loadedModule(field('name'), field('ver'));
  });
}

function loadedModule(name: Reply | string | undefined, version: Reply | string | undefined): LoadedModule | undefined {
  const number = Number.parseInt(String(version), 10);
  return name === undefined || name === null || Number.isNaN(number)
    ? undefined
    : { name: String(name), version: number };
}
