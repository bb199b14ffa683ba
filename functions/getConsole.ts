import path from 'node:path';
import { app, type HttpRequest, type HttpResponseInit } from '@azure/functions';
import { readConsoleFiles, type ConsoleFile } from '../src/api/console-files';
import { errorAnswer } from './shared/http-answer';

let files: ReadonlyMap<string, ConsoleFile> | undefined;

function handler(request: HttpRequest): HttpResponseInit {
  const name = request.params.file ?? '';
  // The page's addresses are relative to itself: with a slash behind it they would lead elsewhere.
  if (name === '' && new URL(request.url).pathname.endsWith('/')) {
    return { status: 308, headers: { location: '../console' } };
  }
  files ??= readConsoleFiles(path.join(__dirname, '../console'));
  const file = files.get(name === '' ? 'index.html' : name);
  if (file === undefined) return errorAnswer('notFound', 'The console has no such file.');
  if (request.headers.get('if-none-match') === file.etag) return { status: 304, headers: file.headers };
  return { status: 200, headers: file.headers, body: file.body };
}

// For everybody: the files hold no data, and the page asks for the key that its calls need.
app.http('getConsole', { methods: ['GET'], authLevel: 'anonymous', route: 'console/{file?}', handler });
