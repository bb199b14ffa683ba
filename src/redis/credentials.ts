import type { TokenCredential } from '@azure/identity';
import type { ConnectionSettings } from './connection-settings';
import { RedisError } from './errors';
import type { Command } from './redis-port';

/** The scope of Azure Cache for Redis and Azure Managed Redis alike. */
const SCOPE = 'https://redis.azure.com/.default';
/** A token is renewed when this share of its life is over. */
const RENEW_AFTER = 0.75;

/** Entra ID gave no credentials. Its own message can name tenants and endpoints, so it stays the cause. */
export class CredentialsError extends Error {
  constructor(cause: unknown) {
    super('Entra ID gave no token for Redis.', { cause });
    this.name = 'CredentialsError';
  }
}

/** A user name and password, good until `renewAt` (ms since 1970). */
export interface Credentials {
  readonly username: string;
  readonly password: string;
  readonly renewAt: number;
}

/** Gives the credentials of the moment: from its own cache while they are fresh, otherwise from Entra ID. */
export type CredentialSource = () => Promise<Credentials>;

/**
 * Entra ID sign-in: the token is the password, the user name is the identity's object id (claim "oid").
 * Calls at the same moment share one request. Throws CredentialsError.
 */
export function entraCredentials(credential: TokenCredential, now: () => number = Date.now): CredentialSource {
  let current: Credentials | undefined;
  let pending: Promise<Credentials> | undefined;
  return () => {
    if (current !== undefined && now() < current.renewAt) return Promise.resolve(current);
    pending ??= fetchToken(credential, now)
      .then((fresh) => (current = fresh))
      .finally(() => (pending = undefined));
    return pending;
  };
}

/** What Entra ID gives, where a connection signs in with it. */
export async function credentialsOf(
  connection: string,
  source: CredentialSource | undefined,
): Promise<Credentials | undefined> {
  try {
    return await source?.();
  } catch (error) {
    throw error instanceof CredentialsError ? new RedisError('noToken', connection, { cause: error }) : error;
  }
}

async function fetchToken(credential: TokenCredential, now: () => number): Promise<Credentials> {
  const token = await credential.getToken(SCOPE).catch((error: unknown) => {
    throw new CredentialsError(error);
  });
  if (token === null) throw new CredentialsError(undefined);
  return {
    username: objectIdOf(token.token),
    password: token.token,
    renewAt: now() + (token.expiresOnTimestamp - now()) * RENEW_AFTER,
  };
}

/** The object id in an access token. @throws Error when the token has none */
export function objectIdOf(token: string): string {
  const payload = token.split('.')[1] ?? '';
  let claims: unknown;
  try {
    claims = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
  } catch {
    claims = undefined;
  }
  if (typeof claims === 'object' && claims !== null && 'oid' in claims && typeof claims.oid === 'string') {
    return claims.oid;
  }
  throw new Error('The Entra ID token has no object id (claim "oid").');
}

/** What a connection sends first, and cannot do without: it signs in, and chooses a database. */
export function signInCommands(
  { username, password }: Pick<ConnectionSettings, 'username' | 'password'>,
  credentials: Credentials | undefined,
  database: number,
): Command[] {
  const [user, secret] = [credentials?.username ?? username, credentials?.password ?? password];
  const commands: Command[] = [];
  if (secret !== undefined) commands.push(user === undefined ? ['AUTH', secret] : ['AUTH', user, secret]);
  if (database !== 0) commands.push(['SELECT', String(database)]);
  return commands;
}
