import { foreignBy } from '../../local/http/foreign-requests';
import { HttpServer } from '../../local/http/http-server';
import { createConsoleLogger } from '../../local/logger';

const host = 'localhost:7071';

it.each([
  ['a program', 'POST', { host }],
  ['a program, by number', 'POST', { host: '127.0.0.1:7071' }],
  ['a program, by IPv6', 'GET', { host: '[::1]:7071' }],
  ['the own page', 'POST', { host, origin: `http://${host}`, 'sec-fetch-site': 'same-origin' }],
  ['who typed the address', 'GET', { host, 'sec-fetch-site': 'none' }],
  [
    'who followed a link',
    'GET',
    { host, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' },
  ],
])('%s is answered', (_, method, headers) => {
  expect(foreignBy({ method, headers })).toBeUndefined();
});

it.each([
  ['another page', 'POST', { host, origin: 'https://evil.example' }],
  ['a page of another port', 'POST', { host, origin: 'http://localhost:3000' }],
  ['a page without an origin', 'POST', { host, origin: 'null' }],
  ['an image of another page', 'GET', { host, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }],
  ['a page of another port, by GET', 'GET', { host, 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'cors' }],
  [
    'a form of another page',
    'POST',
    { host, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' },
  ],
  [
    'a frame in another page',
    'GET',
    { host, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' },
  ],
  ['a name that was made to lead here', 'GET', { host: 'evil.example:7071', 'sec-fetch-site': 'same-origin' }],
  ['a name that begins like this machine', 'GET', { host: 'localhost.evil.example' }],
  ['nobody by name', 'GET', {}],
])('%s is refused', (_, method, headers) => {
  expect(foreignBy({ method, headers })).toBeDefined();
});

it('the server answers 403 and does nothing', async () => {
  const server = new HttpServer(createConsoleLogger({ stream: { write: () => undefined } }));
  let asked = 0;
  server.route(['POST'], '/api/migrations', (_request, response) => {
    asked++;
    response.writeHead(202).end();
    return Promise.resolve();
  });
  const port = await server.listen(0);
  try {
    const post = (headers: Record<string, string>) =>
      fetch(`http://127.0.0.1:${port}/api/migrations`, { method: 'POST', body: '{}', headers });
    expect((await post({ origin: 'https://evil.example' })).status).toBe(403);
    expect(asked).toBe(0);
    expect((await post({ origin: `http://127.0.0.1:${port}` })).status).toBe(202);
    expect((await post({})).status).toBe(202);
    expect(asked).toBe(2);
  } finally {
    await server.close();
  }
});
