// Nothing moves under a finger. While a finger is down or a mouse moves over the rows, the order of the rows is held.

const REST_MS = 700; // a mouse that rests so long is not about to press
const AFTER_MS = 350; // a finger that has just gone up may come down again
const MOST_MS = 4_000; // then the order is true again, whatever the mouse does
const LANDING_MS = 250; // a finger was on its way to what stood there before
const OWN_MS = 1_500; // what a person's own press changes is shown at once
const TWICE_MS = 600; // and then the second click of a double click comes

/** Says whether the order is held. `onRelease` is called when a hold ends. */
export class Hold {
  #timer = 0;
  #since = 0;
  #moved = 0; // the timer of the time after a move of the order
  #passUntil = -Infinity;
  #fingers = new Set();

  constructor(element, onRelease, now = () => performance.now()) {
    Object.assign(this, { element, onRelease, now });
    element.addEventListener("pointermove", ({ pointerType }) => pointerType === "mouse" && this.#keep(REST_MS));
    element.addEventListener("pointerleave", ({ pointerType }) => pointerType === "mouse" && this.#keep(0));
    element.addEventListener("pointerdown", ({ pointerId }) => this.#down(pointerId));
    for (const type of ["pointerup", "pointercancel"]) {
      document.addEventListener(type, ({ pointerId }) => this.#up(pointerId), true);
    }
  }

  get isHeld() {
    return this.#timer !== 0;
  }

  /** A press was sent: what it changes is not held. */
  pass() {
    this.#passUntil = this.now() + OWN_MS;
    if (this.isHeld) this.#release();
  }

  /** The order on the screen has changed. The element is marked while a press may still be for what stood there before. */
  moved() {
    clearTimeout(this.#moved);
    this.element.classList.add("moved");
    const ms = this.now() < this.#passUntil ? TWICE_MS : LANDING_MS;
    this.#moved = setTimeout(() => this.element.classList.remove("moved"), ms);
  }

  /** Whether a press of this moment was on its way before the order changed. */
  get isLanding() {
    return this.element.classList.contains("moved");
  }

  #down(id) {
    this.#fingers.add(id);
    this.#keep(MOST_MS);
  }

  #up(id) {
    if (this.#fingers.delete(id)) this.#keep(AFTER_MS);
  }

  #keep(ms) {
    if (this.now() < this.#passUntil && !this.#fingers.size) return;
    if (!this.isHeld) this.#since = this.now();
    clearTimeout(this.#timer);
    const left = Math.max(0, this.#since + MOST_MS - this.now());
    this.#timer = setTimeout(() => this.#release(), Math.min(this.#fingers.size ? MOST_MS : ms, left));
  }

  #release() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#fingers.clear();
    this.onRelease();
  }
}
