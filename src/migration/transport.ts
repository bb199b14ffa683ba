import { doubtOfModules } from '../payload/module-doubt';
import { PayloadGate } from '../payload/payload-gate';
import type { PayloadServer } from '../payload/payload-server';
import { rangesText } from '../payload/version-ranges';
import type { ServerFacts, SourceAbilities, TargetAbilities } from '../redis/probe';

/** How keys travel: by DUMP and RESTORE, or by ordinary commands where the payload cannot. */
export type Transport = 'payload' | 'commands';

/** Both servers, as far as payloads depend on them. */
export interface PayloadSides {
  readonly source: Pick<ServerFacts, 'software' | 'version' | 'file'> & { readonly abilities: SourceAbilities };
  readonly target: Pick<ServerFacts, 'software' | 'version'> & { readonly abilities: TargetAbilities };
}

/** What decides which payloads go to the target. */
export function payloadGateOf({ source, target }: PayloadSides): PayloadGate {
  // A plan that was stored without versions lets nothing pass: its keys go by commands.
  const versions = target.abilities.payloadVersions ?? [];
  return new PayloadGate(payloadServer(source), { ...payloadServer(target), versions }, source.file !== undefined);
}

/** By commands where no payload would go. Of what is not known yet, each payload tells by itself. */
export function chooseTransport(sides: PayloadSides): Transport {
  const { source, target } = sides;
  if (!source.abilities.dump || !target.abilities.restore) return 'commands';
  const { payloadVersion: written } = source.abilities;
  return written === undefined || payloadGateOf(sides).carriesVersion(written) ? 'payload' : 'commands';
}

/** What is to be known of how keys travel. */
export function warningsOfTransport(sides: PayloadSides, transport: Transport): string[] {
  return [...warningsOfModules(sides), ...(transport === 'commands' ? [warningOfCommands(sides)] : [])];
}

function warningOfCommands({
  source: { abilities: source, file },
  target: { abilities: target },
}: PayloadSides): string {
  if (file !== undefined) {
    return `The target reads no values of files of version ${file.version}: each key becomes a finding. Restore it into a newer server.`;
  }
  const reason = !source.dump
    ? 'the source allows no DUMP'
    : !target.restore
      ? 'the target allows no RESTORE'
      : `the source writes version ${source.payloadVersion ?? 'unknown'}, the target takes ${rangesText(target.payloadVersions ?? [])}`;
  return `The target does not read the source's DUMP payloads (${reason}), so every key is copied by ordinary commands, which is slower.`;
}

/** Of modules whose keys would not be copied: those that the target lacks, and those that it is not certain to read. */
function warningsOfModules(sides: PayloadSides): string[] {
  const [source, target] = [payloadServer(sides.source), payloadServer(sides.target)];
  const missing: string[] = [];
  const reasons = new Set<string>();
  for (const module of source.modules ?? []) {
    const doubt = doubtOfModules([module], source, target);
    if (doubt?.code === 'module-missing') missing.push(module.name);
    else if (doubt !== undefined) reasons.add(doubt.reason);
  }
  return [
    ...(missing.length === 0
      ? []
      : [
          `The target lacks modules of the source (${missing.join(', ')}): keys of their types, if there are any, become findings.`,
        ]),
    ...[...reasons].map((reason) => `Keys of modules' types become findings: ${reason}.`),
  ];
}

function payloadServer({
  software,
  version,
  abilities: { modules },
}: PayloadSides['source'] | PayloadSides['target']): PayloadServer {
  return { software, version, modules };
}
