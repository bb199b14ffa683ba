/**
 * The same items, one read ahead: while the consumer works on an item the next is being fetched. An error of the source is thrown
 * when its item's turn comes; nothing is left running when the consumer ends early.
 * @param drop lets go of an item that was fetched and that nobody takes any more
 */
export async function* readAhead<T>(
  source: AsyncGenerator<T, void, undefined>,
  drop: (item: T) => void = () => undefined,
): AsyncGenerator<T, void, undefined> {
  let next = fetchNext(source);
  try {
    for (;;) {
      const result = await next;
      if (result.done === true) return;
      next = fetchNext(source);
      yield result.value;
    }
  } finally {
    const left = await next.catch(() => undefined);
    if (left?.done === false) drop(left.value);
    await source.return();
  }
}

function fetchNext<T>(source: AsyncGenerator<T, void, undefined>): Promise<IteratorResult<T, void>> {
  const result = source.next();
  // The error is seen when the item is awaited; until then it must not count as unhandled.
  result.catch(() => undefined);
  return result;
}
