import { BadPayloadError } from './byte-reader';
import { isSound } from './check-value';
import { isIntact, payloadVersionOf, SHORTEST_PAYLOAD, withFooter, withVersion, FOOTER_BYTES } from './footer';
import { knownTypes, type VersionSpan } from './known-types';
import { doubtOfType, type Doubt } from './module-doubt';
import { moduleTypeOf } from './module-type';
import type { PayloadServer, PayloadTarget } from './payload-server';
import { NOTHING_LOST, OTHER_FORMS, reencode, type Lost } from './reencode';
import { FIRST_OF_VALKEY, isUnderstood, LAST_COMMON_VERSION, MODULE, MODULE_PRE_RELEASE } from './value-types';
import { Workspace } from './workspace';

/** A payload that is not sent, and whose key no ordinary command can carry: what its finding says. */
export interface Withheld {
  readonly code: Doubt['code'] | 'too-large';
  readonly message: string;
}

/**
 * How a key goes: its payload as it is; the same value under another version; its value in a form that the target knows;
 * by ordinary commands; or not at all.
 */
export type Passage = 'as-is' | 'new-footer' | 're-encoded' | 'by-commands' | Withheld;

/** A payload that the target certainly takes. */
export interface Ready {
  readonly payload: Buffer;
  readonly lost: Lost;
}

/** What is done with a payload of some type and version. */
type Way =
  | { readonly passage: 'as-is' | 'by-commands' }
  | { readonly passage: 'new-footer'; readonly version: number }
  | { readonly passage: 're-encoded'; readonly version: number; readonly type: number };

const BYTES = 256;
const NOT_SOUND: Withheld = {
  code: 'payload-not-taken',
  message: 'The key was not sent: its value in the file is none that a server writes, and might end the target.',
};
/** What a file's value is that goes in no way: there is no server that could be asked for it by commands. */
export const NOT_READ: Withheld = {
  code: 'payload-not-taken',
  message: 'The target does not read its value: the file was written by a newer server, or its value is damaged.',
};
const AS_IS: Way = { passage: 'as-is' };
const BY_COMMANDS: Way = { passage: 'by-commands' };

/** Versions that a value is sent under where its own is not taken, the best first: what both kinds of servers write first. */
const VERSIONS = [LAST_COMMON_VERSION, 10, 9, 8, 12, FIRST_OF_VALKEY];

/**
 * Decides which payloads go to the target: those that it takes for certain, and no others. Servers do not refuse what
 * they cannot read: Redis up to 6.0 ends at a malformed value, and at a module's whose module it lacks, or that its module
 * does not know. What a server gave is not looked into where it goes as it is: its checksum is that server's. What comes out of
 * a file is, as a server that loads it would: anybody may have written it.
 */
export class PayloadGate {
  /** By payload version: 1 where RESTORE takes it. */
  private readonly taken = new Uint8Array(BYTES);
  /** By type byte: the payload versions in which it is certain to be understood. */
  private readonly types: ReadonlyMap<number, VersionSpan>;
  /** By type byte and version. */
  private readonly ways = new Map<number, Way>();
  private readonly moduleTypes = new Map<string, 'as-is' | Withheld>();
  private readonly space = new Workspace();

  constructor(
    private readonly source: PayloadServer,
    private readonly target: PayloadTarget,
    private readonly fromFile = false,
  ) {
    // Redis knows nothing of what Valkey writes under versions of its own.
    const end = target.software === 'valkey' ? BYTES : FIRST_OF_VALKEY;
    for (const [from, to] of target.versions) this.taken.fill(1, from, Math.min(to + 1, end));
    this.types = knownTypes(target);
  }

  /** Whether any value goes under such a version, or can be given another. */
  carriesVersion(version: number): boolean {
    return this.taken[version] === 1 || this.wayOf(0, version) !== BY_COMMANDS;
  }

  /** How the key goes whose payload this is, as far as its head and foot tell; one out of a file is looked at whole. */
  passageOf(payload: Buffer): Passage {
    if (payload.length < SHORTEST_PAYLOAD) return 'by-commands';
    const type = payload[0] ?? 0;
    if (type === MODULE || type === MODULE_PRE_RELEASE) return this.passageOfModule(payload);
    const { passage } = this.wayOf(type, payloadVersionOf(payload));
    return this.fromFile && passage !== 'by-commands' && !isSound(payload, this.space) ? NOT_SOUND : passage;
  }

  /** How a key goes whose value has this type byte, under a version that is no module's. */
  passageUnder(type: number, version: number): Passage {
    return this.wayOf(type, version).passage;
  }

  /**
   * Makes ready what is to be sent of a key.
   * @param sourceNow the source's clock, ms since 1970: for fields that have expired and would stay for ever
   */
  prepare(payload: Buffer, sourceNow: () => number): Ready | 'by-commands' | Withheld {
    if (payload.length < SHORTEST_PAYLOAD) return 'by-commands';
    const type = payload[0] ?? 0;
    if (type === MODULE || type === MODULE_PRE_RELEASE) {
      const passage = this.passageOfModule(payload);
      return typeof passage === 'object' ? passage : { payload, lost: NOTHING_LOST };
    }
    const way = this.wayOf(type, payloadVersionOf(payload));
    if (this.fromFile && way.passage !== 'by-commands' && !isSound(payload, this.space)) return NOT_SOUND;
    switch (way.passage) {
      case 'as-is':
        return { payload, lost: NOTHING_LOST };
      case 'new-footer':
        return { payload: withVersion(payload, way.version), lost: NOTHING_LOST };
      case 're-encoded':
        return this.reencoded(payload, way.type, way.version, sourceNow);
      case 'by-commands':
        return 'by-commands';
    }
  }

  /** By commands goes what is damaged, or not as servers write it: what it should be, the source alone can tell. */
  private reencoded(payload: Buffer, type: number, version: number, sourceNow: () => number): Ready | 'by-commands' {
    if (!isIntact(payload)) return 'by-commands';
    const { space } = this;
    try {
      const lost = reencode(payload, payload.length - FOOTER_BYTES, type, sourceNow, space);
      return { payload: withFooter(space.out.bytes, space.out.length, version), lost };
    } catch (error) {
      if (error instanceof BadPayloadError) return 'by-commands';
      throw error;
    }
  }

  private wayOf(type: number, version: number): Way {
    const place = version * BYTES + type;
    let way = this.ways.get(place);
    if (way === undefined) {
      way = this.findWay(type, version);
      this.ways.set(place, way);
    }
    return way;
  }

  private findWay(type: number, version: number): Way {
    if (this.taken[version] === 1 && this.knows(type, version)) return AS_IS;
    if (!isUnderstood(type, version)) return BY_COMMANDS;
    const same = this.versionFor(type);
    if (same !== undefined) return { passage: 'new-footer', version: same };
    for (const other of OTHER_FORMS[type] ?? []) {
      const under = this.versionFor(other);
      if (under !== undefined) return { passage: 're-encoded', version: under, type: other };
    }
    return BY_COMMANDS;
  }

  private knows(type: number, version: number): boolean {
    const span = this.types.get(type);
    return span !== undefined && version >= span.first && version <= span.last;
  }

  /** The version under which the target certainly takes values of a type. */
  private versionFor(type: number): number | undefined {
    return VERSIONS.find((version) => this.taken[version] === 1 && this.knows(type, version));
  }

  /** How a key of a module's type goes, by the type's name, as TYPE tells it too. */
  passageOfType(type: string): 'as-is' | Withheld {
    let passage = this.moduleTypes.get(type);
    if (passage === undefined) {
      const doubt = doubtOfType(type, this.source, this.target);
      passage = doubt === undefined ? 'as-is' : withheld(`"${type}"`, doubt);
      this.moduleTypes.set(type, passage);
    }
    return passage;
  }

  private passageOfModule(payload: Buffer): 'as-is' | Withheld {
    const type = moduleTypeOf(payload);
    if (type === undefined) return withheld('an unknown name', notRead('its module writes in a way that is not known'));
    const version = payloadVersionOf(payload);
    const passage = this.passageOfType(type);
    if (passage === 'as-is' && this.taken[version] !== 1) {
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
