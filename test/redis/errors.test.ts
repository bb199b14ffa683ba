import { errorKinds, sentenceOf, type ErrorKind } from '../../src/redis/error-kinds';
import { asksOf, RedisError, replyError, socketError } from '../../src/redis/errors';
import { UnreadableReplyError } from '../../src/redis/resp-reader';
import { UnexpectedReplyError } from '../../src/redis/status-parser';

const withCode = (code: string, message: string) => Object.assign(new Error(message), { code });

describe('an error reply', () => {
  it.each([
    ['BUSYKEY Target key name already exists.', 'keyExists', 'key'],
    ["OOM command not allowed when used memory > 'maxmemory'.", 'outOfMemory', 'room'],
    ["-OOM command not allowed when used memory > 'maxmemory'.", 'outOfMemory', 'room'],
    ["@user_script: 30: -OOM command not allowed when used memory > 'maxmemory'.\n", 'outOfMemory', 'room'],
    ["OOM command not allowed when used memory > 'maxmemory'. script: 0f, on @user_script:5.", 'outOfMemory', 'room'],
    [
      'ERR Error running script (call to f_0f): @user_script:4: @user_script: 4: -READONLY no writes',
      'readOnly',
      'retry',
    ],
    ['EXECABORT Transaction discarded because of: OOM command not allowed', 'outOfMemory', 'room'],
    ['EXECABORT Transaction discarded because of previous errors.', 'transactionDiscarded', 'key'],
    ['ERR Bad data format', 'payloadUnreadable', 'key'],
    ['ERR DUMP payload version or checksum are wrong', 'payloadVersion', 'key'],
    ['LOADING Redis is loading the dataset in memory', 'loading', 'retry'],
    ["READONLY You can't write against a read only replica.", 'readOnly', 'retry'],
    ['BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.', 'busyScript', 'retry'],
    ['MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to no.', 'masterDown', 'retry'],
    ['CLUSTERDOWN Hash slot not served', 'clusterDown', 'retry'],
    [
      'ERR Script attempted to execute a command while the cluster is down script: 0f, on @user_script:5.',
      'clusterDown',
      'retry',
    ],
    [
      'ERR Error running script (call to f_0f): @user_script:4: @user_script: 4: Script attempted to execute a write command while the cluster is down and readonly',
      'clusterDown',
      'retry',
    ],
    ['ERR Script attempted to access a non local key in a cluster node script: 0f', 'moved', 'retry'],
    ['TRYAGAIN Multiple keys request during rehashing of slot', 'tryAgain', 'retry'],
    ['NOREPLICAS Not enough good replicas to write.', 'tooFewReplicas', 'retry'],
    ['UNBLOCKED force unblock from blocking operation', 'unblocked', 'retry'],
    [
      "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
      'notSaved',
      'retry',
    ],
    ['ERR max number of clients reached', 'tooManyClients', 'retry'],
    ['constructor of a script', 'refused', 'key'],
    ['__proto__', 'refused', 'key'],
    ['toString', 'refused', 'key'],
    ['MOVED 3999 10.0.0.1:6381', 'moved', 'retry'],
    ['ASK 3999 10.0.0.1:6381', 'moved', 'retry'],
    ['DENIED Redis is running in protected mode because protected mode is enabled', 'protectedMode', 'stop'],
    ['NOAUTH Authentication required.', 'passwordMissing', 'stop'],
    ['WRONGPASS invalid username-password pair or user is disabled.', 'passwordWrong', 'stop'],
    ['ERR invalid password', 'passwordWrong', 'stop'],
    ['ERR Client sent AUTH, but no password is set', 'passwordNotAsked', 'stop'],
    [
      'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?',
      'passwordNotAsked',
      'stop',
    ],
    ["NOPERM this user has no permissions to run the 'restore' command or its subcommand", 'noRight', 'stop'],
    ['NOPERM this user has no permissions to access one of the keys used as arguments', 'noRightToKeys', 'stop'],
    ['NOPERM No permissions to access a key', 'noRightToKeys', 'stop'],
    ["ERR unknown command 'RESTORE', with args beginning with: 'a'", 'unknownCommand', 'stop'],
    ['ERR DB index is out of range', 'noSuchDatabase', 'stop'],
    ['ERR invalid DB index', 'noSuchDatabase', 'stop'],
    ['ERR SELECT is not allowed in cluster mode', 'noSuchDatabase', 'stop'],
    ['WRONGTYPE Operation against a key holding the wrong kind of value', 'wrongType', 'key'],
    ["NOGROUP No such key 'x' or consumer group 'y' in XREADGROUP with GROUP option", 'noSuchGroup', 'key'],
    ['ERR no such key', 'noSuchKey', 'key'],
    ['NOSCRIPT No matching script. Please use EVAL.', 'scriptUnknown', 'key'],
    ['ERR something else', 'refused', 'key'],
    ['', 'refused', 'key'],
  ] as const)('%s: %s', (reply, kind, asks) => {
    expect(replyError('NEW', reply)).toMatchObject({ kind, asks, connection: 'NEW' });
  });

  it.each([
    ["NOPERM this user has no permissions to run the 'restore' command or its subcommand", 'RESTORE'],
    ["NOPERM User x has no permissions to run the 'xinfo|stream' command", 'XINFO|STREAM'],
    ["ERR ACL failure in script: User x has no permissions to run the 'dump' command", 'DUMP'],
    ['ERR unknown command `MEMORY`, with args beginning with: `USAGE`, `secret key`, ', 'MEMORY'],
    ["ERR unknown command 'INFO', with args beginning with: 'server' ", 'INFO'],
    ["ERR unknown command 'UNLINK'", 'UNLINK'],
    ['NOPERM something in words of a proxy', 'DBSIZE'],
  ])('%s: names the command', (reply, command) => {
    const error = replyError('OLD', reply, 'dbsize');
    expect(error.command).toBe(command);
    expect(error.message).toContain(`the command ${command}`);
  });

  it('from a script of a server that does not tell the command does not name EVAL', () => {
    const reply =
      "ERR Error running script (call to f_0f): @user_script:1: @user_script: 1: The user executing the script can't run this command or subcommand";
    expect(replyError('OLD', reply, 'EVALSHA').message).toMatch(
      /may not run a command that is needed inside Lua scripts/,
    );
  });

  it('keeps nothing of what it repeats of arguments, and no line break', () => {
    const error = replyError('OLD', "ERR strange, with args beginning with: 'secret'");
    expect(error.message).toBe('Connection "OLD": the server refuses it: "ERR strange".');
    expect(JSON.stringify([error, String(error.cause)])).not.toContain('secret');
    expect(replyError('OLD', `ERR a\r\n\u0007b ${'x'.repeat(300)}`).message).toMatch(
      /: "ERR a\\r\\n\\u0007b x{182}…"\.$/,
    );
  });
});

describe('a connection that cannot be opened, or has ended', () => {
  it.each([
    [withCode('ENOTFOUND', 'getaddrinfo ENOTFOUND secret.host'), 'hostUnknown', 'retry'],
    [withCode('EAI_AGAIN', 'getaddrinfo EAI_AGAIN secret.host'), 'hostUnknown', 'retry'],
    [withCode('EHOSTUNREACH', 'connect EHOSTUNREACH 10.1.2.3:6379'), 'hostUnreachable', 'retry'],
    [withCode('ECONNREFUSED', 'connect ECONNREFUSED 10.1.2.3:6379'), 'connectionRefused', 'retry'],
    [withCode('ETIMEDOUT', 'connect ETIMEDOUT'), 'timeout', 'retry'],
    [
      withCode('ERR_SSL_WRONG_VERSION_NUMBER', '0:error:0A00010B:SSL routines::wrong version number:'),
      'notTls',
      'stop',
    ],
    [withCode('DEPTH_ZERO_SELF_SIGNED_CERT', 'self-signed certificate'), 'certificate', 'stop'],
    [
      withCode('ERR_TLS_CERT_ALTNAME_INVALID', "Host: secret.host. is not in the cert's altnames"),
      'certificate',
      'stop',
    ],
    [new UnreadableReplyError(), 'notRedis', 'stop'],
    [new UnexpectedReplyError(), 'notRedis', 'stop'],
    [withCode('ECONNRESET', 'read ECONNRESET'), 'closedAtOnce', 'retry'],
    [new Error('something at secret.host:6380 with password=geheim'), 'closedAtOnce', 'retry'],
    ['no error at all', 'closedAtOnce', 'retry'],
  ] as const)('%s: %s', (thrown, kind, asks) => {
    const error = socketError('OLD', thrown, 'closedAtOnce');
    expect(error).toMatchObject({ kind, asks, connection: 'OLD', cause: thrown });
    expect(error.message).not.toMatch(/secret\.host|10\.1\.2\.3|geheim/);
  });

  it('in the middle of work is lost', () => {
    expect(socketError('OLD', withCode('ECONNRESET', 'read ECONNRESET'), 'connectionLost')).toMatchObject({
      kind: 'connectionLost',
      asks: 'retry',
    });
  });

  it('stays the error it is when it passes another edge', () => {
    const error = new RedisError('loading', 'OLD');
    expect(socketError('NEW', error, 'closedAtOnce')).toBe(error);
  });
});

describe('every kind', () => {
  it.each(Object.keys(errorKinds) as ErrorKind[])('%s is told in a sentence that names the connection', (kind) => {
    for (const details of [{}, { command: 'RESTORE', code: 'CERT_HAS_EXPIRED', words: 'ERR x' }]) {
      const sentence = sentenceOf(kind, 'OLD', details);
      expect(sentence).toMatch(/^Connection "OLD": [a-z].{10,}[.?]$/i);
      expect(sentence).not.toMatch(/undefined/);
      // A sentence, not a word of the protocol.
      expect(sentence.split(' ').length).toBeGreaterThan(5);
    }
  });
});

it('asks for nothing that is known where an error came from no Redis', () => {
  expect(asksOf(new Error('LOADING'))).toBeUndefined();
  expect(asksOf('LOADING')).toBeUndefined();
  expect(asksOf(new RedisError('loading', 'OLD'))).toBe('retry');
});
