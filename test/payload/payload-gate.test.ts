import { payloadVersionOf } from '../../src/payload/footer';
import { moduleTypeOf } from '../../src/payload/module-type';
import { PayloadGate } from '../../src/payload/payload-gate';
import type { LoadedModule, PayloadServer, PayloadTarget } from '../../src/payload/payload-server';
import { rangesOf, rangesText } from '../../src/payload/version-ranges';
import { modulePayload, stamp } from '../tools/payloads';

const to = (from: number, last: number) => Array.from({ length: last - from + 1 }, (_, i) => from + i);
const OLD = [...to(0, 5), ...to(9, 14)];

/** The type bytes that stand in payloads of each version. */
const WRITTEN = new Map([
  [8, OLD],
  [9, [...OLD, 15]],
  [10, [...OLD, ...to(15, 19)]],
  [11, [...OLD, ...to(15, 21)]],
  [12, [...OLD, ...to(15, 21), 24, 25]],
  [80, [...OLD, ...to(15, 22)]],
]);

/** What servers take, as it was tried on them: payload versions and type bytes. */
const SERVERS: readonly [name: string, server: Omit<PayloadTarget, 'modules'>, types: readonly number[]][] = [
  ['Redis 4.0', { software: 'redis', version: '4.0.14', versions: [[6, 8]] }, OLD],
  ['Redis 5.0', { software: 'redis', version: '5.0.14', versions: [[6, 9]] }, [...OLD, 15]],
  ['Redis 6.0', { software: 'redis', version: '6.0.16', versions: [[6, 9]] }, [...OLD, 15]],
  ['Redis 6.2', { software: 'redis', version: '6.2.16', versions: [[6, 9]] }, [...OLD, 15]],
  ['Redis 7.0', { software: 'redis', version: '7.0.15', versions: [[6, 10]] }, [...OLD, ...to(15, 19)]],
  ['Redis 7.2', { software: 'redis', version: '7.2.6', versions: [[6, 11]] }, [...OLD, ...to(15, 21)]],
  ['Redis 7.4', { software: 'redis', version: '7.4.1', versions: [[6, 12]] }, [...OLD, ...to(15, 21), 24, 25]],
  ['Redis 8.0', { software: 'redis', version: '8.0.2', versions: [[6, 12]] }, [...OLD, ...to(15, 21), 24, 25]],
  ['Valkey 7.2', { software: 'valkey', version: '7.2.9', versions: [[6, 11]] }, [...OLD, ...to(15, 21)]],
  ['Valkey 8.1', { software: 'valkey', version: '8.1.1', versions: [[6, 11]] }, [...OLD, ...to(15, 21)]],
  [
    'Valkey 8.1 relaxed',
    {
      software: 'valkey',
      version: '8.1.1',
      versions: [
        [6, 11],
        [80, 100],
      ],
    },
    [...OLD, ...to(15, 21)],
  ],
  [
    'Valkey 9.1',
    {
      software: 'valkey',
      version: '9.1.2',
      versions: [
        [6, 11],
        [80, 80],
      ],
    },
    [...OLD, ...to(15, 22)],
  ],
  ['Valkey 9.1 relaxed', { software: 'valkey', version: '9.1.2', versions: [[6, 100]] }, [...OLD, ...to(15, 22)]],
];

/** Types as which a value can go where its own is not known. */
const OTHERS = new Map([
  [16, [13]],
  [17, [12]],
  [18, [14]],
  [19, [15]],
  [20, [2]],
  [21, [19, 15]],
  [22, [24, 4]],
  [24, [22, 4]],
  [25, [22, 4]],
]);

const some: PayloadServer = { software: 'redis', version: '8.0.2', modules: [] };
const bodyOf = (type: number) => Buffer.from([type, 1, 0x78, 0x78, 0x78, 0x78, 0x78, 0x78, 0x78, 0x78]);

describe.each(SERVERS)('to %s', (_, server, types) => {
  const gate = new PayloadGate(some, { ...server, modules: [] });
  const takes = (version: number) => server.versions.some(([from, last]) => version >= from && version <= last);

  it('every type byte under every version goes only as it is taken for certain', () => {
    for (const version of [...to(6, 15), 79, 80, 81, 100]) {
      const written = WRITTEN.get(version);
      for (let type = 0; type < 256; type++) {
        const passage = gate.passageOf(stamp(bodyOf(type), version));
        const known = types.includes(type);
        const is = (expected: unknown) => {
          if (passage !== expected) expect([type, version, passage]).toEqual([type, version, expected]);
        };
        if (type === 6 || type === 7) is(withheld());
        else if (written?.includes(type) === true) {
          const other = OTHERS.get(type)?.some((each) => types.includes(each)) === true;
          is(known ? (takes(version) ? 'as-is' : 'new-footer') : other ? 're-encoded' : 'by-commands');
        } else if (!known || (!takes(version) && version > 7) || written !== undefined) is('by-commands');
      }
    }
  });

  it('another version is one that it takes, and whose servers wrote the type', () => {
    for (const [version, written] of WRITTEN) {
      for (const type of written) {
        const ready = gate.prepare(stamp(bodyOf(type), version), Date.now);
        if (gate.passageOf(stamp(bodyOf(type), version)) !== 'new-footer') continue;
        if (typeof ready !== 'object' || !('payload' in ready)) throw new Error(`${type} ${version}`);
        const stamped = payloadVersionOf(ready.payload);
        expect(takes(stamped)).toBe(true);
        expect(WRITTEN.get(stamped)).toContain(type);
        expect(ready).toEqual({ payload: stamp(bodyOf(type), stamped), lost: { fieldExpiries: 0, streamPast: false } });
      }
    }
  });

  it('what is too short for a payload does not go as one', () => {
    for (let length = 0; length < 12; length++) {
      expect(gate.passageOf(Buffer.alloc(length))).toBe('by-commands');
      expect(gate.prepare(Buffer.alloc(length), Date.now)).toBe('by-commands');
    }
  });

  it('values of modules do not go without their module, under no version', () => {
    for (const version of [1, 8, 9, 10, 11, 12, 80, 300]) {
      expect(gate.passageOf(modulePayload('ReJSON-RL', version))).toEqual(
        withheld('module-missing', /"ReJSON-RL".*lacks the module \(ReJSON\)/),
      );
      expect(gate.passageOf(modulePayload('ReJSON-RL', version, 6))).toEqual(withheld('payload-not-taken'));
    }
  });
});

it('a version beyond all, and a Redis that seems to take what only Valkey writes, are no certainty', () => {
  const strange = new PayloadGate(some, { ...some, versions: [[0, 65_535]] });
  expect(strange.passageOf(stamp(bodyOf(0), 80))).toBe('new-footer');
  for (const version of [255, 256, 300, 65_535]) {
    expect(strange.passageOf(stamp(bodyOf(0), version))).toBe('by-commands');
  }
  const untold = new PayloadGate(some, { software: 'redis', version: '0.0.0', modules: [], versions: [[6, 12]] });
  expect(untold.passageOf(stamp(bodyOf(0), 9))).toBe('as-is');
  expect(untold.passageOf(stamp(bodyOf(16), 10))).toBe('re-encoded');
});

describe('values of modules', () => {
  const module = (name: string, version = 10): LoadedModule => ({ name, version });
  const server = (changes: Partial<PayloadServer> = {}): PayloadTarget => ({
    software: 'redis',
    version: '7.4.1',
    modules: [module('ReJSON')],
    versions: [[6, 12]],
    ...changes,
  });

  it('name their type: as Redis 8.0 wrote it for a vector set, and as the module says', () => {
    const written =
      '0781bde72da2bb1eb4000202020102500102000502656c05023f7f0205020102000200022002813f64f92e400f1bbd000c00a8b97735aee6adc2';
    expect(moduleTypeOf(Buffer.from(written, 'hex'))).toBe('vectorset');
    expect(payloadVersionOf(Buffer.from(written, 'hex'))).toBe(12);
    for (const name of ['ReJSON-RL', 'MBbloom--', 'AAAAAAAAA', '_________', 'bloomfltr']) {
      expect(moduleTypeOf(modulePayload(name, 9))).toBe(name);
    }
    expect(moduleTypeOf(stamp(Buffer.from([7, 0x81, 1, 2, 3]), 9))).toBeUndefined();
    expect(moduleTypeOf(stamp(bodyOf(7), 9))).toBeUndefined();
  });

  it.each<[string, string, Partial<PayloadServer>, Partial<PayloadServer>, string | undefined]>([
    ['the same module', 'ReJSON-RL', {}, {}, undefined],
    ['a newer one', 'ReJSON-RL', {}, { modules: [module('ReJSON', 11)] }, undefined],
    ['an older one', 'ReJSON-RL', {}, { modules: [module('ReJSON', 9)] }, 'module-older'],
    ['no module', 'ReJSON-RL', {}, { modules: [] }, 'module-missing'],
    ['another module', 'ReJSON-RL', {}, { modules: [module('bf')] }, 'module-missing'],
    ['modules that are not told', 'ReJSON-RL', {}, { modules: undefined }, 'payload-not-taken'],
    ['from modules that are not told', 'ReJSON-RL', { modules: undefined }, {}, 'payload-not-taken'],
    ['neither tells', 'ReJSON-RL', { modules: undefined }, { modules: undefined }, 'payload-not-taken'],
    ['from modules not told to none', 'ReJSON-RL', { modules: undefined }, { modules: [] }, 'module-missing'],
    ['only that of this type is asked for', 'ReJSON-RL', { modules: [module('ReJSON'), module('bf')] }, {}, undefined],
    ['an unknown type, all modules there', 'some-type', {}, {}, undefined],
    [
      'an unknown type, not all modules there',
      'some-type',
      { modules: [module('ReJSON'), module('own')] },
      {},
      'module-missing',
    ],
    ['an unknown type of a source without modules', 'some-type', { modules: [] }, {}, 'payload-not-taken'],
    ['a Redis before 6.2, which would end', 'ReJSON-RL', {}, { version: '6.0.16' }, 'payload-not-taken'],
    ['a Redis 4.0', 'ReJSON-RL', {}, { version: '4.0.14' }, 'payload-not-taken'],
    ['Redis 6.2, which refuses', 'ReJSON-RL', {}, { version: '6.2.16' }, undefined],
    [
      'a module of the same name for Valkey',
      'MBbloom--',
      { modules: [module('bf')] },
      { software: 'valkey', version: '8.1.1', modules: [module('bf', 99)] },
      'payload-not-taken',
    ],
    [
      'Valkey to Valkey',
      'bloomfltr',
      { software: 'valkey', modules: [module('bf')] },
      { software: 'valkey', version: '8.1.1', modules: [module('bf')] },
      undefined,
    ],
  ])('%s', (_, type, source, target, code) => {
    const passage = new PayloadGate(server(source), server(target)).passageOf(modulePayload(type, 9));
    expect(passage).toEqual(code === undefined ? 'as-is' : withheld(code, new RegExp(`"${type}"`)));
  });

  it('under a version that is not taken stay too, with their module there', () => {
    const gate = new PayloadGate(server(), server());
    for (let round = 0; round < 2; round++) {
      expect(gate.passageOf(modulePayload('ReJSON-RL', 13))).toEqual(withheld('payload-not-taken', /version 13/));
      expect(gate.passageOf(modulePayload('ReJSON-RL', 12))).toBe('as-is');
    }
  });
});

it('versions are told as ranges', () => {
  expect(rangesOf([6, 7, 8, 11, 80, 81])).toEqual([
    [6, 8],
    [11, 11],
    [80, 81],
  ]);
  expect(rangesText(rangesOf([6, 7, 8, 11, 80, 81]))).toBe('6 to 8 and 11 and 80 to 81');
  expect(rangesOf([])).toEqual([]);
});

function withheld(code: string | RegExp = /./, message = /./): object {
  return {
    code: expect.stringMatching(code) as unknown,
    message: expect.stringMatching(message) as unknown,
  };
}
