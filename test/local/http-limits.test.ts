import { once } from 'node:events';
import { connect } from 'node:net';
import { readRequest } from '../../local/http/http-request';
import { HttpServer } from '../../local/http/http-server';
import { createConsoleLogger } from '../../local/logger';

let server: HttpServer;
let port: number;
let taken = 0;

beforeAll(async () => {
  server = new HttpServer(createConsoleLogger({ stream: { write: () => undefined } }));
  server.route(['POST'], '/things', async (request, response) => {
    taken = (await readRequest(request, {})).body.length;
    response.writeHead(200).end();
  });
  port = await server.listen(0);
});
afterAll(() => server.close());

/** Sends bytes as they are and gives the status line that comes back. */
async function statusOf(head: string, body: Buffer = Buffer.alloc(0)): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(head);
  socket.write(body);
  const [first] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return String(first).split('\r\n')[0] ?? '';
}

it.each(['a b', 'a:99999999', '[', 'x@y:z', 'localhost:99999'])(
  'a Host header like "%s" is a mistake of the caller',
  async (host) => {
    expect(await statusOf(`POST /things HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 0\r\n\r\n`)).toMatch(/ 40[03] /);
  },
);

it('a body that says to be too large is not waited for', async () => {
  expect(await statusOf(`POST /things HTTP/1.1\r\nHost: localhost\r\nContent-Length: 104857600\r\n\r\n`)).toMatch(
    / 413 /,
  );
});

it('a body that turns out too large is not read to its end', async () => {
  const head = 'POST /things HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n';
  const chunk = Buffer.concat([Buffer.from('180000\r\n'), Buffer.alloc(0x180000, 'x'), Buffer.from('\r\n')]);
  expect(await statusOf(head, chunk)).toMatch(/ 413 /);
});

it('a body up to the limit is taken whole', async () => {
  const body = Buffer.alloc(1_048_576, 'x');
  expect(
    await statusOf(`POST /things HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n`, body),
  ).toMatch(/ 200 /);
  expect(taken).toBe(body.length);
});

it.each(['', 'none', '0', '-1', 'Infinity'])('a size limit of "%s" sets no limit aside', async (setting) => {
  process.env.FUNCTIONS_REQUEST_BODY_SIZE_LIMIT = setting;
  try {
    expect(await statusOf(`POST /things HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048577\r\n\r\n`)).toMatch(
      / 413 /,
    );
  } finally {
    delete process.env.FUNCTIONS_REQUEST_BODY_SIZE_LIMIT;
  }
});
