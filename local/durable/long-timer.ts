/** setTimeout reaches 24.8 days only. */
const longestMs = 0x7fff_ffff;

/** Calls back at a moment, however far away; at once when it has passed. */
export class LongTimer {
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly at: Date,
    private readonly callback: () => void,
  ) {
    this.arm();
  }

  cancel(): void {
    clearTimeout(this.timer);
  }

  private arm(): void {
    const rest = Math.max(this.at.getTime() - Date.now(), 0);
    this.timer = setTimeout(
      () => {
        if (rest > longestMs) this.arm();
        else this.callback();
      },
      Math.min(rest, longestMs),
    );
  }
}
