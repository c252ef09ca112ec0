// The time left on a screen: set by the daemon, counted down by the page.

const NOTICE_S = 20;
const SAME_MS = 1_000; // two ends no further apart are the same end

/**
 * Counts down. Four times a second `tick` gets the seconds left (null: no limit), their share of the whole, and whether
 * the end is near. `over` is called at the end.
 */
export class Countdown {
  constructor(tick, over) {
    this.tick = tick;
    this.over = over;
    this.whole = null;
    this.ends = null;
    this.announced = false;
    setInterval(() => this.step(), 250);
  }

  /** Sets the seconds from now; null: no limit. */
  set(remaining) {
    const ends = remaining === null ? null : performance.now() + remaining * 1000;
    // The same end leaves the bar as it is, and is not announced again.
    if (ends !== null && this.ends !== null && Math.abs(ends - this.ends) < SAME_MS) return;
    this.whole = remaining;
    this.ends = ends;
    this.announced = false;
    this.step();
  }

  /** The seconds left; null where the screen stays. */
  get left() {
    return this.ends === null ? null : Math.max(0, (this.ends - performance.now()) / 1000);
  }

  /** Whether to announce that the end is near: true once. */
  shouldAnnounce() {
    if (this.announced || this.left === null || this.left > NOTICE_S) return false;
    this.announced = true;
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
