import { isRedisError, isTooLong, type RedisError } from '../redis/errors';
import { keysByServer, type Command, type RedisPort, type Reply } from '../redis/redis-port';
import { unlessTooLong } from './too-long';

/** One loss of a connection is chance. */
const LOSSES = 2;
/** After so many calls by themselves that went well it may have been chance as well; twice as many each time. */
const GOOD_CALLS = 64;

/**
 * For calls of which one element may be larger than the server sends or takes at once. When a connection was lost twice, each call has one
 * that nobody else uses, and where that is lost for what the call does, it is refused: `replyTooLong` or `valueTooLong`.
 */
export class CarefulPort implements RedisPort {
  private losses = 0;
  private goodCalls = 0;
  private patience = GOOD_CALLS;

  /**
   * @param port shared with others: whoever loses it tries again
   * @param alone throws `replyTooLong` or `valueTooLong` where the connection is lost for what the call does
   */
  constructor(
    private readonly port: RedisPort,
    private readonly alone: <T>(call: (own: RedisPort) => Promise<T>) => Promise<T>,
  ) {}

  byServer(keys: readonly Buffer[]): readonly (readonly number[])[] {
    return keysByServer(this.port, keys);
  }

  call(...command: Command): Promise<Reply> {
    return this.carefully((port) => port.call(...command));
  }

  async pipeline(commands: readonly Command[]): Promise<(Reply | RedisError)[]> {
    try {
      return await this.carefully((port) => port.pipeline(commands));
    } catch (error) {
      if (!isTooLong(error)) throw error;
      if (commands.length <= 1) return [error];
    }
    const replies: (Reply | RedisError)[] = [];
    for (const command of commands) replies.push(...(await this.pipeline([command])));
    return replies;
  }

  private async carefully<T>(call: (port: RedisPort) => Promise<T>): Promise<T> {
    const { losses } = this;
    if (losses >= LOSSES) {
      const done = await unlessTooLong(async () => ({ result: await this.alone(call) }));
      if (!('result' in done)) throw done;
      if (++this.goodCalls >= this.patience) this.shareAgain();
      return done.result;
    }
    try {
      return await call(this.port);
    } catch (error) {
      // What was under way together is lost together.
      if (isRedisError(error, 'connectionLost') && losses === this.losses) this.losses++;
      throw error;
    }
  }

  private shareAgain(): void {
    this.goodCalls = 0;
    this.patience *= 2;
    this.losses = LOSSES - 1;
  }
}
