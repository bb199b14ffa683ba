import { FIRST_OF_VALKEY, knownTypes } from './known-types';
import { doubtOfType, type Doubt } from './module-doubt';
import { MODULE, MODULE_PRE_RELEASE, moduleTypeOf, payloadVersionOf, SHORTEST_PAYLOAD } from './payload-head';
import type { PayloadServer, PayloadTarget } from './payload-server';

/** A payload that is not sent, and whose key no ordinary command can carry: what its finding says. */
export interface Withheld {
  readonly code: Doubt['code'];
  readonly message: string;
}

/** How a key goes: its payload as it is, by ordinary commands, or not at all. */
export type Passage = 'as-is' | 'by-commands' | Withheld;

const BYTES = 256;

/**
 * Decides which payloads go to the target: those that it takes for certain, and no others. Servers do not refuse what
 * they cannot read: Redis up to 6.0 ends at a module's value whose module it lacks, or that its module does not know.
 * Looks at a byte and the version of each payload, and at the type's name of modules' ones.
 */
export class PayloadGate {
  /** By payload version: 1 where RESTORE takes it. */
  private readonly taken = new Uint8Array(BYTES);
  /** By type byte: the payload versions in which it is certain to be understood. Empty where `first` is after `last`. */
  private readonly first = new Uint16Array(BYTES).fill(1);
  private readonly last = new Uint16Array(BYTES);
  private readonly moduleTypes = new Map<string, Passage>();

  constructor(
    private readonly source: PayloadServer,
    private readonly target: PayloadTarget,
  ) {
    // Redis knows nothing of what Valkey writes under versions of its own.
    const end = target.software === 'valkey' ? BYTES : FIRST_OF_VALKEY;
    for (const [from, to] of target.versions) this.taken.fill(1, from, Math.min(to + 1, end));
    for (const [type, { first, last }] of knownTypes(target)) {
      this.first[type] = first;
      this.last[type] = last;
    }
  }

  /** Whether RESTORE takes payloads of a version, if it knows their types. */
  takesVersion(version: number): boolean {
    return this.taken[version] === 1;
  }

  /** How the key goes whose payload this is. */
  passageOf(payload: Buffer): Passage {
    if (payload.length < SHORTEST_PAYLOAD) return 'by-commands';
    const type = payload[0] ?? 0;
    if (type === MODULE || type === MODULE_PRE_RELEASE) return this.passageOfModule(payload);
    const version = payloadVersionOf(payload);
    const { first, last } = this;
    return this.taken[version] === 1 && version >= (first[type] ?? 1) && version <= (last[type] ?? 0)
      ? 'as-is'
      : 'by-commands';
  }

  private passageOfModule(payload: Buffer): Passage {
    const type = moduleTypeOf(payload);
    if (type === undefined) return withheld('an unknown name', notRead('its module writes in a way that is not known'));
    const version = payloadVersionOf(payload);
    let passage = this.moduleTypes.get(type);
    if (passage === undefined) {
      const doubt = doubtOfType(type, this.source, this.target);
      passage = doubt === undefined ? 'as-is' : withheld(`"${type}"`, doubt);
      this.moduleTypes.set(type, passage);
    }
    if (passage === 'as-is' && !this.takesVersion(version)) {
      return withheld(`"${type}"`, notRead(`the target takes no payloads of version ${version}: upgrade it`));
    }
    return passage;
  }
}

function notRead(reason: string): Doubt {
  return { code: 'payload-not-taken', reason };
}

function withheld(type: string, { code, reason }: Doubt): Withheld {
  return { code, message: `The key is of a module's type (${type}) and was not sent: ${reason}.` };
}
