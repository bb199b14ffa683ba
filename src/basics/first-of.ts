/**
 * The first of several calls to succeed, each begun when the one before has failed or takes longer than `staggerMs`.
 * @param blamed the place of the call whose failure is thrown where none succeeds
 */
export async function firstOf<T>(calls: readonly (() => Promise<T>)[], staggerMs: number, blamed = 0): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  try {
    return await new Promise<T>((resolve, reject) => {
      const failures = new Map<number, unknown>();
      let begun = 0;
      const next = (): void => {
        clearTimeout(timer);
        if (isOver) return;
        const place = begun++;
        const call = calls[place];
        if (call === undefined) return;
        timer = setTimeout(next, staggerMs);
        call().then(resolve, (error: unknown) => {
          failures.set(place, error);
          // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- handed on as it is
          if (failures.size === calls.length) reject(failures.get(blamed));
          else if (begun === place + 1) next();
        });
      };
      next();
    });
  } finally {
    isOver = true;
    clearTimeout(timer);
  }
}
