import type { About } from '../about';
import { sessionFindings } from './finding-codes';

/** @see kind.ts */
export const aboutAspNetSessions: About = {
  name: 'aspnet-session-v5',
  summary: 'ASP.NET sessions of RedisSessionStateProvider 1–4 become those of version 5',
  example: '{"converter":"aspnet-session-v5","applications":["/Shop"]}',
  findings: sessionFindings,
  show: {
    command: 'session',
    about: 'look into ASP.NET sessions',
    show: 'print a session of version 4 or 5 as a table of names, .NET types and values',
    key: 'any key of the session, for example {/App_0a1b…}_Data',
    none: 'There is no session under this key. A key looks like {/App_0a1b…}_Data or {/App_0a1b…}_SessionStateItemCollection.',
    read: async (port, key) => (await import('./show-session.js')).readShownSession(port, key),
  },
};
