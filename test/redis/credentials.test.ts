import type { AccessToken, TokenCredential } from '@azure/identity';
import { CredentialsError, entraCredentials, objectIdOf } from '../../src/redis/credentials';

const OID = '11111111-2222-3333-4444-555555555555';
const token = (claims: unknown) => `head.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.signature`;

/** A credential that gives tokens for an hour and remembers what it was asked for. */
function credential(now: () => number): TokenCredential & { readonly scopes: string[] } {
  const scopes: string[] = [];
  return {
    scopes,
    getToken: (scope) => {
      scopes.push(String(scope));
      return Promise.resolve({ token: token({ oid: OID, n: scopes.length }), expiresOnTimestamp: now() + 3_600_000 });
    },
  };
}

describe('Entra ID credentials', () => {
  it('are the token as password and the object id as user name, asked for in the scope of Redis', async () => {
    const source = credential(() => 0);
    const { username, password } = await entraCredentials(source, () => 0)();
    expect(username).toBe(OID);
    expect(password).toBe(token({ oid: OID, n: 1 }));
    expect(source.scopes).toEqual(['https://redis.azure.com/.default']);
  });

  it("are kept for three quarters of the token's life, then renewed", async () => {
    let now = 1_000_000;
    const source = credential(() => now);
    const get = entraCredentials(source, () => now);
    const first = await get();
    expect(first.renewAt).toBe(1_000_000 + 2_700_000);
    now = first.renewAt - 1;
    expect(await get()).toBe(first);
    now = first.renewAt;
    expect((await get()).password).not.toBe(first.password);
    expect(source.scopes).toHaveLength(2);
  });

  it('are asked for once by many at the same moment', async () => {
    const source = credential(() => 0);
    const get = entraCredentials(source, () => 0);
    const all = await Promise.all([get(), get(), get()]);
    expect(new Set(all).size).toBe(1);
    expect(source.scopes).toHaveLength(1);
  });

  it('that fail are asked for again by the next, and say nothing of tenant or endpoint', async () => {
    let tries = 0;
    const get = entraCredentials({
      getToken: (): Promise<AccessToken | null> =>
        ++tries === 1
          ? Promise.reject(new Error('tenant abc'))
          : Promise.resolve({ token: token({ oid: OID }), expiresOnTimestamp: Date.now() + 1_000 }),
    });
    const error: unknown = await get().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(CredentialsError);
    expect(String(error)).not.toContain('tenant');
    expect((await get()).username).toBe(OID);
  });

  it('that are none are an error', async () => {
    await expect(entraCredentials({ getToken: () => Promise.resolve(null) })()).rejects.toThrow(CredentialsError);
  });
});

describe('the object id', () => {
  it('is the claim "oid"', () => {
    expect(objectIdOf(token({ oid: OID, sub: 'other' }))).toBe(OID);
  });

  it.each(['', 'abc', 'a.b.c', token({ sub: 'x' }), token({ oid: 5 }), token(null)])('is missing in %j', (text) => {
    expect(() => objectIdOf(text)).toThrow('no object id');
  });
});
