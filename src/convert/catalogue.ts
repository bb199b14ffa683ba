import { aboutAspNetSessions } from './aspnet-session/about';
import { aboutDistributedCache } from './distributed-cache/about';
import type { About } from './about';

/** The converters by name and in words. What they do is in registry.ts: a command line tells of them before it loads that. */
export const catalogue: readonly About[] = [aboutAspNetSessions, aboutDistributedCache];
