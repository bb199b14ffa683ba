/** What the part of the address behind # asks for. */
export type Route = { readonly name: 'list' | 'new' } | { readonly name: 'migration'; readonly id: string };

/** Everything that is no route of ours is the list. */
export function parseRoute(hash: string): Route {
  if (hash === '#/new') return { name: 'new' };
  const id = /^#\/migrations\/([^/]+)$/.exec(hash)?.[1];
  if (id === undefined) return { name: 'list' };
  try {
    return { name: 'migration', id: decodeURIComponent(id) };
  } catch {
    return { name: 'list' };
  }
}
