import type { Socket } from 'node:net';
import { startProxy, type Proxy } from '../local/servers/proxy';

/** Bytes that are on their way in one direction of a connection: what a line with much room holds. Beyond, no more are taken. */
const MOST_ON_THE_WAY = 16 * 1_048_576;

/**
 * A line to a server that delays everything by the half of a round trip in each direction, and is as wide as this machine is quick.
 * @param serverPort on 127.0.0.1
 * @param roundTripMs a fraction below a millisecond is beyond what timers can do
 */
export async function startDelayingProxy(serverPort: number, roundTripMs: number): Promise<Proxy> {
  return await startProxy(serverPort, (client, server) => {
    delayed(client, server, roundTripMs / 2);
    delayed(server, client, roundTripMs / 2);
  });
}

/** Hands on what comes, in its order, each piece so much later. */
function delayed(from: Socket, to: Socket, delayMs: number): void {
  const pieces: { readonly at: number; readonly bytes: Buffer }[] = [];
  let [onTheWay, isWaiting] = [0, false];
  const deliver = () => {
    isWaiting = false;
    const now = performance.now();
    let arrived = 0;
    for (const { at } of pieces) {
      if (at > now) break;
      arrived++;
    }
    to.cork();
    for (const { bytes } of pieces.splice(0, arrived)) {
      onTheWay -= bytes.length;
      to.write(bytes);
    }
    to.uncork();
    if (onTheWay < MOST_ON_THE_WAY) from.resume();
    wait();
  };
  const wait = () => {
    const [first] = pieces;
    if (first === undefined || isWaiting) return;
    isWaiting = true;
    setTimeout(deliver, Math.max(0, first.at - performance.now()));
  };
  from.on('data', (bytes) => {
    pieces.push({ at: performance.now() + delayMs, bytes });
    onTheWay += bytes.length;
    if (onTheWay >= MOST_ON_THE_WAY) from.pause();
    wait();
  });
}
