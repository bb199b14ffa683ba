import type { Socket } from 'node:net';

/** What is measured at each look at a socket. */
export interface SilenceLimits {
  /** How often it is looked, ms. */
  readonly everyMs?: number;
  /** A server that owes replies, sends nothing for so long and takes nothing either, is gone. */
  readonly silentMs?: number;
  /** A connection that nobody uses for so long is ended; never where it is left out. */
  readonly idleMs?: number;
}

/**
 * Ends a socket whose server is gone without a word: one that is frozen, or whose address leads nowhere any more. By looks, and not by the
 * socket's own timeout, which begins anew with whatever is written. Time in which this process itself stood still counts as one look.
 * @param owes whether a reply is waited for
 */
export function endSilent(
  socket: Socket,
  owes: () => boolean,
  { everyMs = 5_000, silentMs = 60_000, idleMs = Number.POSITIVE_INFINITY }: SilenceLimits = {},
): void {
  let before = '';
  let still = 0;
  let owed = 0;
  const timer = setInterval(() => {
    const moved = movedOn(socket);
    still = moved === before ? still + everyMs : 0;
    owed = owes() ? owed + everyMs : 0;
    before = moved;
    if (Math.min(still, owed) >= silentMs || (owed === 0 && still >= idleMs)) cutOff(socket);
  }, everyMs);
  timer.unref();
  socket.once('close', () => {
    clearInterval(timer);
  });
}

interface TcpHandle {
  close: (done?: () => void) => void;
  readonly reset?: (done?: () => void) => void;
}

/**
 * Ends a connection at once, and has the system throw away what it has not sent: after an ordinary end it would go on sending for minutes,
 * and what comes late may be older than what was written over another connection since.
 */
export function cutOff(socket: Socket, why?: Error): void {
  const { _handle: handle } = socket as { readonly _handle?: (TcpHandle & { readonly _parent?: TcpHandle }) | null };
  // With TLS that is what carries it. `resetAndDestroy` of a socket refuses that.
  const tcp = handle?._parent ?? handle;
  const { reset } = tcp ?? {};
  if (tcp && reset !== undefined && !socket.connecting && !socket.writableEnded) tcp.close = reset;
  socket.destroy(why);
}

/** Changes with everything that came, and with everything of what was written that the system has taken. */
function movedOn(socket: Socket): string {
  // A long piece is taken little by little, which the socket itself does not tell.
  const { _handle: handle } = socket as { readonly _handle?: { readonly writeQueueSize?: number } | null };
  return [socket.bytesRead, socket.bytesWritten - socket.writableLength, handle?.writeQueueSize ?? 0].join(' ');
}
