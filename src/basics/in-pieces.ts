/** Things in their order, so many together at most: none of none. */
export function inPieces<T>(things: readonly T[], most: number): (readonly T[])[] {
  const pieces: (readonly T[])[] = [];
  for (let at = 0; at < things.length; at += most) pieces.push(things.slice(at, at + most));
  return pieces;
}
