import fc from 'fast-check';
import {
  addressOf,
  ConnectionSettingsError,
  isConnectionName,
  readConnectionSettings,
} from '../../src/redis/connection-settings';

const read = (text: string) => readConnectionSettings('OLD', { REDIS_OLD: text });

describe('a connection as a URL', () => {
  it.each([
    ['redis://localhost', { host: 'localhost', port: 6379, tls: false }],
    ['redis://localhost:7000/', { host: 'localhost', port: 7000, tls: false }],
    ['redis://localhost:7000/0', { host: 'localhost', port: 7000, tls: false, database: 0 }],
    ['rediss://:pa%2Fss%40@cache.example:6380', { host: 'cache.example', port: 6380, tls: true, password: 'pa/ss@' }],
    [
      'REDISS://me:secret@cache.example',
      { host: 'cache.example', port: 6379, tls: true, username: 'me', password: 'secret' },
    ],
    ['redis://[::1]:6379', { host: '::1', port: 6379, tls: false }],
    ['  redis://localhost  ', { host: 'localhost', port: 6379, tls: false }],
    ['redis://localhost/5', { host: 'localhost', port: 6379, tls: false, database: 5 }],
    ['redis://localhost/', { host: 'localhost', port: 6379, tls: false }],
  ])('%s', (text, expected) => {
    expect(read(text)).toEqual({ name: 'OLD', ...expected });
  });

  it.each([
    ['redis://', /names no host|not a URL/],
    ['redis://localhost:99999', /not a URL/],
    ['redis://:abc/d=@cache.example:6380', /percent-encoded \(%2F/],
    ['redis://localhost:0', /port/],
    ['redis://localhost/5x', /percent-encoded/],
    ['redis://localhost/5/6', /percent-encoded/],
    ['redis://localhost/12345678901', /percent-encoded/],
    ['redis://:100%@localhost', /percent-encoded/],
    ['redis://localhost?db=5', /percent-encoded/],
    ['redis://me:12/secret@localhost', /%2F/],
    ['redis://:a#b@localhost', /not a URL|percent-encoded|names no host/],
  ])('%s is refused with the reason', (text, reason) => {
    expect(() => read(text)).toThrow(ConnectionSettingsError);
    expect(() => read(text)).toThrow(reason);
  });
});

describe('a connection as the Azure portal shows it', () => {
  it.each([
    [
      'my.redis.cache.windows.net:6380,password=aB1+/x==,ssl=True,abortConnect=False',
      { host: 'my.redis.cache.windows.net', port: 6380, tls: true, password: 'aB1+/x==' },
    ],
    [
      'my.westeurope.redis.azure.net:10000,password=k=,ssl=True,abortConnect=False',
      { host: 'my.westeurope.redis.azure.net', port: 10000, tls: true, password: 'k=' },
    ],
    ['cache:6379', { host: 'cache', port: 6379, tls: false }],
    ['cache', { host: 'cache', port: 6379, tls: false }],
    ['cache,ssl=true', { host: 'cache', port: 6380, tls: true }],
    ['cache:6380,user=me,password=x,', { host: 'cache', port: 6380, tls: true, username: 'me', password: 'x' }],
    ['cache:6380,ssl=False,syncTimeout=5000', { host: 'cache', port: 6380, tls: false }],
    ['cache:6380,highPriorityThreads=True,writeBuffer=4096,configChannel=x', { host: 'cache', port: 6380, tls: true }],
    [
      '10.0.0.4:6380,sslHost=my.cache.example',
      { host: '10.0.0.4', port: 6380, tls: true, tlsHost: 'my.cache.example' },
    ],
    ['[::1]:6379,defaultDatabase=0', { host: '::1', port: 6379, tls: false, database: 0 }],
    ['cache:6379,defaultDatabase=3', { host: 'cache', port: 6379, tls: false, database: 3 }],
    ['cache:6379,defaultDatabase=', { host: 'cache', port: 6379, tls: false }],
  ])('%s', (text, expected) => {
    expect(read(text)).toEqual({ name: 'OLD', ...expected });
  });

  it.each([
    ['cache:6380,password=geheim,ssl=maybe', /neither True nor False/],
    ['cache:6380,password=geheim,defaultDatabase=three', /defaultDatabase/],
    ['cache:6380,password=ge,heim', /password with a comma/],
    ['cache:6380,password=ge,he=im', /not understood \(the second after the host\).*URL form/],
    ['sentinel:26379,serviceName=mymaster', /serviceName=.*master that it tells/],
    ['cache:6380,tunnel=http:proxy', /tunnel=/],
    ['cache:6380,other:6380,password=geheim', /only one host/],
    ['cache:70000,password=geheim', /port/],
    ['http://cache:6380,password=geheim', /neither a redis:\/\//],
    ['password=geheim', /neither a redis:\/\//],
  ])('%s is refused with the reason', (text, reason) => {
    expect(() => read(text)).toThrow(reason);
  });
});

describe('a connection by Entra ID', () => {
  const readHost = (settings: Record<string, string>) =>
    readConnectionSettings('NEW', Object.fromEntries(Object.entries(settings).map(([k, v]) => [`REDIS_NEW__${k}`, v])));

  it('is always TLS, on the port of its kind of cache', () => {
    expect(readHost({ hostName: 'a.redis.cache.windows.net' })).toEqual({
      name: 'NEW',
      host: 'a.redis.cache.windows.net',
      port: 6380,
      tls: true,
      entra: {},
    });
    expect(readHost({ hostName: 'a.westeurope.redis.azure.net' }).port).toBe(10_000);
    expect(readHost({ hostName: 'a', port: '7000', clientId: 'c' })).toMatchObject({
      port: 7000,
      entra: { clientId: 'c' },
    });
  });

  it.each(['abc', '0', '65536', '1.5', '-1'])('refuses the port %s', (port) => {
    expect(() => readHost({ hostName: 'a', port })).toThrow(/from 1 to 65535/);
  });

  it.each(['https://a', 'a:6380', 'a,password=x'])('refuses %s, which is more than a host', (hostName) => {
    expect(() => readHost({ hostName })).toThrow(/host name/);
  });

  it('is read only where there is no other form', () => {
    const both = { REDIS_NEW: 'redis://url', REDIS_NEW__hostName: 'host' };
    expect(readConnectionSettings('NEW', both).host).toBe('url');
  });
});

describe('where a connection leads', () => {
  const address = (text: string) => addressOf(readConnectionSettings('A', { REDIS_A: text }));

  it.each([
    ['redis://Example.COM', 'example.com:6379'],
    ['redis://example.com.', 'example.com:6379'],
    ['example.com:6379,ssl=True', 'example.com:6379'],
    ['rediss://user:pw@example.com:6379', 'example.com:6379'],
    ['redis://10.0.0.1', '10.0.0.1:6379'],
    ['10.1:6379', '10.0.0.1:6379'],
    ['redis://[2001:DB8:0:0::1]:7000', '[2001:db8::1]:7000'],
    ['[::1]:6379', 'localhost:6379'],
    ['127.0.0.1:6379', 'localhost:6379'],
    ['redis://bücher.example', 'xn--bcher-kva.example:6379'],
    ['Old.redis.cache.windows.net:6380,ssl=True', 'old.redis.cache.windows.net'],
    ['redis://old.redis.cache.windows.net', 'old.redis.cache.windows.net'],
    ['rediss://new.westeurope.redis.azure.net:10000', 'new.westeurope.redis.azure.net:10000'],
    ['redis://host_with_underscore', 'host_with_underscore:6379'],
  ])('%s is %s', (text, expected) => {
    expect(address(text)).toBe(expected);
  });
});

describe('a connection name', () => {
  it('finds its setting as it is written, or in capitals', () => {
    expect(readConnectionSettings('old', { REDIS_OLD: 'redis://capitals' }).host).toBe('capitals');
    expect(readConnectionSettings('old', { REDIS_OLD: 'redis://a', REDIS_old: 'redis://b' }).host).toBe('b');
  });

  it.each([{}, { REDIS_OLD: '' }, { REDIS_OLD: '   ' }])(
    'that no setting has is refused and says what to set: %j',
    (settings) => {
      expect(() => readConnectionSettings('OLD', settings)).toThrow(/There is no connection "OLD": set REDIS_OLD /);
    },
  );

  it.each([
    ['OLD', true],
    ['a1_b', true],
    ['', false],
    ['1a', false],
    ['a__hostName', false],
    ['a-b', false],
    ['redis://host', false],
    ['a'.repeat(65), false],
    ['OLD\n', false],
  ])('%j: %s', (name, allowed) => {
    expect(isConnectionName(name)).toBe(allowed);
  });
});

it('no error about a setting tells any of its secret, wherever the secret stands', () => {
  const secret = 'Geh3im';
  const secrets = fc
    .array(fc.constantFrom(secret, '/', '@', ':', '#', '?', '%', ',', '=', '&', ' ', '[', ']'), {
      minLength: 1,
      maxLength: 6,
    })
    .map((parts) => secret + parts.join('') + secret);
  const forms = fc.constantFrom(
    (text: string) => `redis://:${text}@host:6379`,
    (text: string) => `rediss://user:${text}@host`,
    (text: string) => `redis://${text}@host/3`,
    (text: string) => `redis://user:123${text}@host`,
    (text: string) => `host:6380,password=${text},ssl=True`,
    (text: string) => `host:6380,ssl=${text}`,
    (text: string) => text,
  );
  fc.assert(
    fc.property(secrets, forms, (text, form) => {
      try {
        read(form(text));
      } catch (error) {
        expect(error).toBeInstanceOf(ConnectionSettingsError);
        expect((error as Error).message).not.toContain(secret);
      }
    }),
    { numRuns: 2_000 },
  );
});
