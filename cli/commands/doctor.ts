import { readAppSettings } from '../../src/app/app-settings';
import { FileStores } from '../../src/files/file-stores';
import { BadRequestError, parseMigrationRequest, type MigrationRequest } from '../../src/migration/request';
import { Connections } from '../../src/redis/connections';
import { diagnose } from '../../src/start/diagnose';
import type { Diagnosis, Missing, Used } from '../../src/start/diagnosis';
import { Clocks } from '../../src/transfer/clock-offset';
import { readGiven } from '../connections/given-connection';
import { gatherSettings } from '../connections/local-settings';
import { exitCodes, UsageError } from '../outcome';
import { mistakeLine, requestBody, type RequestOptions } from '../request-body';
import { appRoot } from '../service/app-root';
import type { Context } from './context';

export interface DoctorOptions extends RequestOptions {
  readonly source: string;
  readonly target: string;
  readonly json?: boolean;
}

/** `keyferry doctor`: tries both servers from this machine. @returns 0, or 1 where a copy would not begin */
export async function doctor(options: DoctorOptions, { display, interruption }: Context): Promise<number> {
  const settings = await gatherSettings(appRoot());
  const source = readGiven('source', options.source, settings);
  const target = readGiven('target', options.target, settings);
  const request = requestOf(requestBody(options, source.name, target.name));
  const own = { ...settings, ...source.settings, ...target.settings };
  const connections = new Connections(own, 'keyferry-doctor');
  try {
    const app = { connections, clocks: new Clocks(), files: new FileStores(own), settings: readAppSettings(own) };
    const found = await interruption.race(diagnose(request, app));
    if (options.json === true) display.printJson(found);
    else display.print(textOf(found));
    return found.possible ? exitCodes.completed : exitCodes.differences;
  } finally {
    connections.close();
  }
}

function requestOf(body: unknown): MigrationRequest {
  try {
    return parseMigrationRequest(body);
  } catch (error) {
    if (!(error instanceof BadRequestError)) throw error;
    throw new UsageError(error.message, error.mistakes.map(mistakeLine));
  }
}

function textOf({ possible, uses, missing, warnings, otherModes, untried }: Diagnosis): string {
  const parts = [
    part('What will be used', uses.map(usedLine)),
    part('To be known', warnings),
    part('Not tried, since that takes writing or time', untried),
    ...otherModes.map(({ mode, missing: more }) => part(`Missing for mode ${mode}`, more.map(missingLine))),
    part('Missing', missing.map(missingLine)),
  ];
  const last = possible ? 'A copy can begin.' : 'A copy cannot begin yet: see what is missing.';
  return [...parts.filter((text) => text !== ''), last].join('\n\n');
}

function part(head: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : [`${head}:`, ...lines.map((line) => `  ${line}`)].join('\n');
}

function usedLine({ side, about, says }: Used): string {
  return `${(side ?? 'both').padEnd(7)} ${about.padEnd(11)} ${says}`;
}

function missingLine({ side, message }: Missing): string {
  return `- ${side === undefined ? '' : `${side}: `}${message}`;
}
