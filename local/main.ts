#!/usr/bin/env node
import './compile-cache';
import { flushCompileCache } from 'node:module';
import path from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { readLocalSettings } from './app-settings';
import { type LocalHost, startLocalHost, STORAGE_LOST } from './local-host';
import { createConsoleLogger } from './logger';
import { messageOf } from './worker/function-worker';

interface Options {
  port: number;
  app: string;
  data?: string;
  oneOfSeveral?: true;
  verbose?: true;
}

const program = new Command('npm start --')
  .description('Runs the function app on this machine, without the cloud.')
  .option('--port <number>', 'port on 127.0.0.1 (0: a free one)', parsePort, 7071)
  .option('--app <folder>', 'folder of the app, with host.json and local.settings.json', process.cwd())
  .option('--data <folder>', 'folder for the data of the storage emulator (default: .keyferry in the app folder)')
  .option(
    '--one-of-several',
    'leave messages and orchestrations of a killed host locked for as long as in Azure (always with storage of your own)',
  )
  .option('--verbose', 'show what the functions log')
  .addHelpText(
    'after',
    '\nSettings are read from local.settings.json and from the environment, which wins. Azurite is started for storage,\n' +
      'unless AzureWebJobsStorage is a connection string other than UseDevelopmentStorage=true.',
  );

function parsePort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new InvalidArgumentError('Not a port.');
  return port;
}

async function main(): Promise<void> {
  const options = program.parse().opts<Options>();
  const log = createConsoleLogger({ verbose: options.verbose ?? false });
  const settings = { ...(await readLocalSettings(options.app)), ...definedEnvironment() };
  const storage = settings.AzureWebJobsStorage ?? '';
  const ownStorage = storage !== '' && storage !== 'UseDevelopmentStorage=true';
  const host = await startLocalHost({
    appRoot: options.app,
    port: options.port,
    dataFolder: options.data ?? path.join(options.app, '.keyferry'),
    ...(ownStorage ? { storageConnectionString: storage } : {}),
    ...(options.oneOfSeveral === undefined ? {} : { oneOfSeveral: true }),
    settings,
    log,
  });
  endOnSignal(host);
  printFunctions(host);
  // Not only when it ends: it may be killed.
  flushCompileCache();
  void host.lost.then(() => {
    process.stderr.write(`${STORAGE_LOST} Start it again.\n`);
    process.exit(1);
  });
}

function definedEnvironment(): Record<string, string> {
  return Object.fromEntries(Object.entries(process.env).flatMap(([name, value]) => (value ? [[name, value]] : [])));
}

function printFunctions(host: LocalHost): void {
  const lines = ['', 'Functions:', ''];
  for (const { name, trigger, detail } of host.functions) {
    lines.push(
      `        ${name}: ${trigger === 'httpTrigger' ? detail : [trigger, detail].filter(Boolean).join(' ')}`,
      '',
    );
  }
  lines.push(`Listening on ${host.url} - Ctrl-C ends.`);
  process.stdout.write(`${lines.join('\n')}\n`);
}

function endOnSignal(host: LocalHost): void {
  let ending = false;
  const end = (): void => {
    if (ending) process.exit(130);
    ending = true;
    process.stdout.write('Ending; once more to end at once.\n');
    host.close().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`${messageOf(error)}\n`);
        process.exit(1);
      },
    );
  };
  process.on('SIGINT', end);
  process.on('SIGTERM', end);
}

main().catch((error: unknown) => {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = 1;
});
