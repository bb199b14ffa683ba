import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { archiveMirror, defaultMirror, mirrorCandidates, mirrorsIn } from '../../../local/servers/debian-mirrors';

test('one-line sources: only Debian mirrors with main', () => {
  const text = [
    '# deb http://commented.example/debian bookworm main',
    'deb http://mirror.example/debian/ bookworm main contrib',
    'deb [arch=amd64 signed-by=/a.gpg] https://second.example/debian trixie main',
    'deb-src http://source.example/debian bookworm main',
    'deb http://security.example/debian-security bookworm-security main',
    'deb https://download.docker.example/linux/debian bookworm stable',
    'deb http://archive.ubuntu.example/ubuntu noble main',
  ].join('\n');
  expect(mirrorsIn(text)).toEqual(['http://mirror.example/debian', 'https://second.example/debian']);
});

test('deb822 sources: every address of a fitting paragraph', () => {
  const text = `Types: deb deb-src
# a comment
URIs: http://mirror.example/debian mirror+file:/etc/apt/mirrors/debian
Suites: bookworm bookworm-updates
Components: main

Types: deb
URIs: http://security.example/debian-security
Suites: bookworm-security
Components: main
`;
  expect(mirrorsIn(text)).toEqual(['http://mirror.example/debian']);
});

test('the machine’s mirrors come first, Debian’s own after them', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'keyferry-apt-'));
  try {
    expect(await mirrorCandidates(folder)).toEqual([defaultMirror, archiveMirror]);
    await mkdir(join(folder, 'sources.list.d'));
    await writeFile(join(folder, 'sources.list.d', 'debian.list'), 'deb http://mirror.example/debian bookworm main\n');
    await writeFile(join(folder, 'sources.list.d', 'old.list.bak'), 'deb http://old.example/debian bookworm main\n');
    await writeFile(join(folder, 'sources.list'), `deb ${defaultMirror} bookworm main\n`);
    expect(await mirrorCandidates(folder)).toEqual([defaultMirror, 'http://mirror.example/debian', archiveMirror]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
