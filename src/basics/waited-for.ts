const SLICE_MS = 200;

/**
 * Waits for what others bring about; theirs goes on where the waiting ends before.
 * @param check called now and again; what it throws ends the waiting
 */
export async function waitedFor<T>(waited: Promise<T>, check: () => void): Promise<T> {
  const ended = waited.then(
    () => true,
    () => true,
  );
  for (;;) {
    check();
    let timer: NodeJS.Timeout | undefined;
    const slice = new Promise<false>((resolve) => {
      timer = setTimeout(resolve, SLICE_MS, false);
    });
    const isOver = await Promise.race([ended, slice]);
    clearTimeout(timer);
    if (isOver) return await waited;
  }
}
