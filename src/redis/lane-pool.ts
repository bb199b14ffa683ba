import { isRedisError } from './errors';
import { Lane, type Switchable } from './lane';

/**
 * The connections of one process to one Redis that are alike, opened one by one as they are needed and as the server has room for
 * clients. One there always is.
 */
export class LanePool<C extends Switchable> {
  private lanes: readonly Lane<C>[] = [];
  private first: Promise<void> | undefined;
  private opening: Promise<unknown> = Promise.resolve();

  /**
   * @param most how many there are at most
   * @param hasRoom whether the server takes one more client, beside some for others
   */
  constructor(
    private readonly most: number,
    private readonly make: () => C,
    private readonly hasRoom: () => Promise<boolean>,
  ) {}

  /** All that there are, open or not. */
  get connections(): readonly C[] {
    return this.lanes.map(({ connection }) => connection);
  }

  /** One that is open. */
  get anyOpen(): C | undefined {
    return this.lanes.find(({ isOpen }) => isOpen)?.connection;
  }

  /**
   * Opens the lane of a user, or gives it one that is open.
   * @param lane the one that it has
   * @throws RedisError
   */
  async open(lane: Lane<C> | undefined): Promise<Lane<C>> {
    const own = lane !== undefined && this.lanes.includes(lane) ? lane : this.take();
    if (own.isOpen) return own;
    if (this.anyOpen === undefined) {
      // Others wait for it: whether the server takes any client shows by one.
      this.first ??= own.connection.ready().finally(() => (this.first = undefined));
      await this.first;
    }
    const opened = this.opening.then(async () => await this.openBeside(own));
    this.opening = opened.catch(() => undefined);
    return await opened;
  }

  private async openBeside(asked: Lane<C>): Promise<Lane<C>> {
    // Meanwhile there may have been no room for it.
    const own = this.lanes.includes(asked) ? asked : this.take();
    if (own.isOpen) return own;
    if (this.anyOpen === undefined || (await this.hasRoom())) {
      try {
        await own.connection.ready();
        return own;
      } catch (error) {
        if (!isRedisError(error, 'tooManyClients')) throw error;
      }
    }
    const open = leastUsed(this.lanes.filter(({ isOpen }) => isOpen));
    if (open === undefined) return own;
    this.lanes = this.lanes.filter((lane) => lane !== own);
    return open;
  }

  private take(): Lane<C> {
    const unused = this.lanes.length < this.most ? undefined : leastUsed(this.lanes);
    if (unused !== undefined) return unused;
    const lane = new Lane(this.make());
    this.lanes = [...this.lanes, lane];
    return lane;
  }
}

function leastUsed<C extends Switchable>(lanes: readonly Lane<C>[]): Lane<C> | undefined {
  return [...lanes].sort((a, b) => a.users - b.users)[0];
}
