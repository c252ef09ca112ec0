// The time that is left on a screen, as the daemon said it and as it passes here.

const NOTICE_S = 20;
const SAME_MS = 1_000; // two ends no further apart are one end, said twice

/** Counts down. `tick` gets the seconds left (null: no limit) and the share of the whole, four times a second. */
export class Countdown {
  constructor(tick, over) {
    this.tick = tick;
    this.over = over;
    this.whole = null;
    this.ends = null;
    this.told = false;
    setInterval(() => this.step(), 250);
  }

  /** There are so many seconds from now; null: no limit. */
  set(remaining) {
    const ends = remaining === null ? null : performance.now() + remaining * 1000;
    // News that give no more time leave the bar as it is, and what was said of the time is not said again.
    if (ends !== null && this.ends !== null && Math.abs(ends - this.ends) < SAME_MS) return;
    this.whole = remaining;
    this.ends = ends;
    this.told = false;
    this.step();
  }

  /** Seconds left; null where the screen stays. */
  get left() {
    return this.ends === null ? null : Math.max(0, (this.ends - performance.now()) / 1000);
  }

  /** Whether the person must hear that it is about to end: true once. */
  tell() {
    if (this.told || this.left === null || this.left > NOTICE_S) return false;
    this.told = true;
    return true;
  }

  step() {
    const left = this.left;
    this.tick(left, left === null ? 0 : left / Math.max(this.whole, 1), left !== null && left <= NOTICE_S);
    if (left === 0) {
      this.ends = null;
      this.over();
    }
  }
}
