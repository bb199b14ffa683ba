/** Below that it is not worth it. Bytes. */
const LARGE = 524_288;

/**
 * Gives the memory of large buffers back at once, where they share it with nobody: until they are collected as garbage, as much again is
 * allocated. They are empty after it, so nothing may use them any more, nor have them on its way into a socket.
 * @param what a buffer, or lists and objects that have some in them
 * @param least smaller ones are left to the garbage collector; bytes
 */
export function freeBuffers(what: unknown, least = LARGE): void {
  if (Buffer.isBuffer(what)) {
    const { buffer, length } = what;
    if (length >= least && length === buffer.byteLength && buffer instanceof ArrayBuffer) buffer.transfer(0);
  } else if (Array.isArray(what)) for (const part of what) freeBuffers(part, least);
  else if (typeof what === 'object' && what !== null) for (const part of Object.values(what)) freeBuffers(part, least);
}
