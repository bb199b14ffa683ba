import type { About } from '../about';
import { cacheFindings } from './finding-codes';

/** @see kind.ts */
export const aboutDistributedCache: About = {
  name: 'distributed-cache',
  summary: "entries of .NET's distributed cache (IDistributedCache) become plain strings, or strings such entries",
  example: '{"converter":"distributed-cache","to":"strings","instanceName":"Shop:"}',
  findings: cacheFindings,
};
