import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { checkNrbf, convertSession, firstEqualNames } from '../../../src/convert/aspnet-session';
import { corpus } from './support/corpus';
import { vectors } from './support/fixtures';
import { mutate, random } from './support/mutate';
import { int32, stream, text } from './support/nrbf-writer';

/** The newest release that runs on the .NET that is here. */
const PACKAGE_VERSIONS: Readonly<Record<string, string>> = { 8: '9.0.0', 9: '9.0.0', 10: '10.0.12' };
const FRAMEWORK = '<TargetFramework>net%.0</TargetFramework>';

const PROJECT = (major: string): string => `<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><OutputType>Exe</OutputType>${FRAMEWORK.replace('%', major)}</PropertyGroup>
  <ItemGroup><PackageReference Include="System.Formats.Nrbf" Version="${PACKAGE_VERSIONS[major] ?? ''}" /></ItemGroup>
</Project>`;

/**
 * Reads one stream in hex a line; answers ok, or what is wrong, a line. With the argument `names`: reads two names in
 * hex a line; answers whether the comparer of session items takes them for one.
 */
const PROGRAM = `using System;
using System.Formats.Nrbf;
using System.IO;
using System.Text;
if (args.Length > 0) {
  for (string pair; (pair = Console.ReadLine()) != null;) {
    var names = Array.ConvertAll(pair.Split(' '), hex => Encoding.UTF8.GetString(Convert.FromHexString(hex)));
    Console.WriteLine(StringComparer.InvariantCultureIgnoreCase.Equals(names[0], names[1]) ? "equal" : "different");
  }
  return;
}
for (string line; (line = Console.ReadLine()) != null;) {
  var bytes = Convert.FromHexString(line);
  try {
    using var stream = new MemoryStream(bytes);
    NrbfDecoder.Decode(stream, leaveOpen: true);
    Console.WriteLine(stream.Position == bytes.Length ? "ok" : "trailing bytes");
  } catch (Exception error) { Console.WriteLine(error.GetType().Name + ": " + error.Message.ReplaceLineEndings(" ")); }
}`;

const dotnetMajor = (): string | undefined => {
  const { status, stdout } = spawnSync('dotnet', ['--version'], { encoding: 'utf8' });
  const major = status === 0 ? stdout.split('.', 1)[0] : undefined;
  return major !== undefined && major in PACKAGE_VERSIONS ? major : undefined;
};

const major = dotnetMajor();
const folder = mkdtempSync(join(tmpdir(), 'keyferry-second-reader-'));

/** Builds the program; says why that cannot be done here. */
const build = (): string | undefined => {
  if (major === undefined) return 'no dotnet 8, 9 or 10 on this machine';
  writeFileSync(join(folder, 'second-reader.csproj'), PROJECT(major));
  writeFileSync(join(folder, 'Program.cs'), PROGRAM);
  const { status, stdout } = spawnSync('dotnet', ['build', '-v', 'q', '-o', join(folder, 'out')], {
    cwd: folder,
    encoding: 'utf8',
    timeout: 120_000,
  });
  return status === 0 ? undefined : `System.Formats.Nrbf could not be built: ${stdout.trim().split('\n').at(-1) ?? ''}`;
};

const unavailable = build();
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const secondOpinion = (streams: readonly Buffer[]): string[] =>
  execFileSync('dotnet', [join(folder, 'out', 'second-reader.dll')], {
    input: streams.map((bytes) => bytes.toString('hex')).join('\n') + '\n',
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
  })
    .trimEnd()
    .split('\n');

const dotnetTakesForOne = (pairs: readonly (readonly [string, string])[]): boolean[] =>
  execFileSync('dotnet', [join(folder, 'out', 'second-reader.dll'), 'names'], {
    input: pairs.map((pair) => pair.map((name) => Buffer.from(name).toString('hex')).join(' ')).join('\n') + '\n',
    encoding: 'utf8',
  })
    .trimEnd()
    .split('\n')
    .map((answer) => answer === 'equal');

const converts = (value: Buffer): boolean => convertSession({ fields: [[Buffer.from('item'), value]] }).ok;

(unavailable === undefined ? describe : describe.skip)(
  `System.Formats.Nrbf, an independent reader of type 20 payloads${unavailable === undefined ? '' : ` (skipped: ${unavailable})`}`,
  () => {
    it('takes every well-formed stream that we take', () => {
      const streams = [...vectors.map(({ nrbf }) => nrbf), ...corpus];
      expect(streams.map((bytes) => checkNrbf(bytes).ok)).not.toContain(false);
      expect(new Set(secondOpinion(streams))).toEqual(new Set(['ok']));
    });

    it('takes every damaged stream that we take, but for names that only a type loader would look at', () => {
      const next = random(1789);
      const damaged = Array.from({ length: 30_000 }, () =>
        mutate(corpus[next(corpus.length)]!, corpus[next(corpus.length)]!, next),
      ).filter(converts);
      expect(damaged.length).toBeGreaterThan(500);
      const complaints = secondOpinion(damaged).filter((answer) => answer !== 'ok');
      expect(complaints.filter((answer) => !/Invalid (?:type|assembly) name\./.test(answer))).toEqual([]);
      expect(complaints.length).toBeLessThan(damaged.length / 4);
    });

    it('and the comparer of names: we merge all that .NET would, and little more', () => {
      const next = random(42);
      const parts = [
        'a',
        'A',
        'á',
        'A\u0301',
        'ss',
        'ß',
        'ſ',
        'K',
        '\u212a',
        'i',
        'I',
        'ı',
        'İ',
        'i\u0307',
        '\u00ad',
        '\u200d',
      ];
      parts.push(
        '\0',
        '\ufeff',
        'Σ',
        'σ',
        'ς',
        'か',
        'カ',
        'ｶ',
        'が',
        'か\u3099',
        'ぁ',
        'あ',
        'Ａ',
        'ａ',
        '2',
        '²',
        'ﬁ',
        'fi',
        'Ж',
        'ж',
        '-',
        ' ',
        '\t',
      );
      const name = (): string => Array.from({ length: 1 + next(2) }, () => parts[next(parts.length)]!).join('');
      const pairs = Array.from({ length: 20_000 }, () => [name(), name()] as const);
      const ours = pairs.map((pair) => firstEqualNames(pair.map((text) => Buffer.from(text)))[1] === 0);
      const theirs = dotnetTakesForOne(pairs);
      expect(pairs.filter((_, i) => theirs[i] === true && ours[i] === false)).toEqual([]);
      // Two letters for one, as only .NET Framework takes them.
      const more = pairs.filter((pair, i) => ours[i] === true && theirs[i] === false && !/[ßſ]/.test(pair.join('')));
      // .NET without ICU compares bytes.
      if (dotnetTakesForOne([['é', 'e\u0301']])[0] === true) expect(more).toEqual([]);
    });

    it('does not know what BinaryFormatter can: lower bounds', () => {
      const array = stream('0701000000', '03', int32(1), int32(1), int32(5), '0008', int32(7));
      expect(checkNrbf(array).ok).toBe(true);
      expect(secondOpinion([array])[0]).toMatch(/zero offsets/);
    });

    it('overlooks what would fail in BinaryFormatter: references to nothing', () => {
      const dangling = stream('1001000000', int32(1), '0907000000');
      expect(secondOpinion([dangling])).toEqual(['ok']);
      expect(checkNrbf(dangling).ok).toBe(false);
      expect(checkNrbf(stream('1001000000', int32(1), '0902000000', '0602000000', text('x'))).ok).toBe(true);
    });
  },
);

if (unavailable !== undefined) {
  it('the second reader is skipped for a stated reason', () => {
    expect(unavailable).not.toBe('');
  });
}
