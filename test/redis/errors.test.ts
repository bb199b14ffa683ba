import {
  ConnectionLostError,
  CredentialsError,
  describeConnectionError,
  errorKind,
  firstWord,
} from '../../src/redis/errors';

const withCode = (code: string, message: string) => Object.assign(new Error(message), { code });

describe('what an error asks for', () => {
  it.each([
    ['BUSYKEY Target key name already exists.', 'busy-key'],
    ["OOM command not allowed when used memory > 'maxmemory'.", 'full'],
    ["-OOM command not allowed when used memory > 'maxmemory'.", 'full'],
    ["@user_script: 30: -OOM command not allowed when used memory > 'maxmemory'.\n", 'full'],
    ['ERR Error running script (call to f_0f): @user_script:4: @user_script: 4: -READONLY no writes', 'retry'],
    ["OOM command not allowed when used memory > 'maxmemory'. script: 0f, on @user_script:5.", 'full'],
    ['ERR Bad data format', 'payload'],
    ['ERR DUMP payload version or checksum are wrong', 'payload'],
    ['LOADING Redis is loading the dataset in memory', 'retry'],
    ["READONLY You can't write against a read only replica.", 'retry'],
    ['BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.', 'retry'],
    ['MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to no.', 'retry'],
    ['CLUSTERDOWN Hash slot not served', 'retry'],
    ['ERR max number of clients reached', 'retry'],
    ['NOAUTH Authentication required.', 'stop'],
    ['WRONGPASS invalid username-password pair or user is disabled.', 'stop'],
    ["NOPERM this user has no permissions to run the 'restore' command or its subcommand", 'stop'],
    ["ERR unknown command 'RESTORE', with args beginning with: 'a'", 'stop'],
    ['ERR invalid password', 'stop'],
    ['WRONGTYPE Operation against a key holding the wrong kind of value', 'key'],
    ['ERR something else', 'key'],
    ['Connection is closed.', 'retry'],
    ["Stream isn't writeable and enableOfflineQueue options is false", 'retry'],
    ['Command aborted due to connection close', 'retry'],
    ["Socket timeout. Expecting data, but didn't receive any in 60000ms.", 'retry'],
    ['connect ECONNREFUSED 10.0.0.1:6379', 'retry'],
  ])('%s: %s', (message, kind) => {
    expect(errorKind(new Error(message))).toBe(kind);
  });

  it('is told by the code of a socket as well', () => {
    expect(errorKind(withCode('ECONNRESET', 'read'))).toBe('retry');
    expect(errorKind(withCode('EAI_AGAIN', 'getaddrinfo'))).toBe('retry');
    expect(errorKind(withCode('DEPTH_ZERO_SELF_SIGNED_CERT', 'self-signed certificate'))).toBe('stop');
    expect(errorKind(withCode('ERR_TLS_CERT_ALTNAME_INVALID', 'does not match'))).toBe('stop');
    expect(errorKind(withCode('ERR_SSL_WRONG_VERSION_NUMBER', 'ssl'))).toBe('stop');
  });

  it('is another try for a lost connection and for a token that did not come', () => {
    expect(errorKind(new ConnectionLostError('gone'))).toBe('retry');
    expect(errorKind(new CredentialsError(undefined))).toBe('retry');
    expect(errorKind('no error at all')).toBe('key');
  });
});

it("takes an error reply's first word, with or without the sign that scripts put before it", () => {
  expect(['-BUSYKEY x', 'WRONGTYPE x', '', '1x'].map(firstWord)).toEqual(['BUSYKEY', 'WRONGTYPE', '', '']);
});

describe('a connection error in words', () => {
  it.each([
    [new Error('WRONGPASS invalid username-password pair'), /refuses the user name or password/],
    [new Error('ERR invalid password'), /refuses the user name or password/],
    [new Error('NOAUTH Authentication required.'), /asks for a password and none is set/],
    [new Error("NOPERM User x has no permissions to run the 'info' command"), /\(info\)/],
    [withCode('ENOTFOUND', 'getaddrinfo ENOTFOUND secret.host'), /cannot be resolved/],
    [withCode('ECONNREFUSED', 'connect ECONNREFUSED 10.1.2.3:6379'), /nothing listens there/],
    [withCode('ETIMEDOUT', 'connect ETIMEDOUT'), /no answer in time/],
    [
      withCode('ERR_SSL_WRONG_VERSION_NUMBER', '0:error:0A00010B:SSL routines::wrong version number:'),
      /does not speak TLS/,
    ],
    [withCode('DEPTH_ZERO_SELF_SIGNED_CERT', 'self-signed certificate'), /cannot be verified \(DEPTH_ZERO/],
    [
      withCode('ERR_TLS_CERT_ALTNAME_INVALID', "Host: secret.host. is not in the cert's altnames"),
      /cannot be verified/,
    ],
    [withCode('ECONNRESET', 'read ECONNRESET'), /TLS port without/],
    [new Error('LOADING Redis is loading the dataset in memory'), /loading its data/],
    [new Error("OOM command not allowed when used memory > 'maxmemory'."), /out of memory/],
    [new Error('ERR max number of clients reached'), /as many clients/],
    [new Error('ERR DB index is out of range'), /no such database/],
    [new CredentialsError(new Error('tenant 123 at https://login.secret.host')), /Entra ID gave no token/],
    [new Error('something at secret.host:6380 with password=geheim'), /something\.$/],
  ])('%s', (error, words) => {
    const text = describeConnectionError('OLD', error);
    expect(text).toMatch(words);
    expect(text).toMatch(/^Connection "OLD": /);
    expect(text).not.toMatch(/secret\.host|10\.1\.2\.3|geheim|tenant/);
  });
});
