// The timers of one part, which end with it.

/** Timers that are cleared together, so that nothing runs on after its owner has ended. */
export class Timers {
  /** @type {Map<ReturnType<typeof setTimeout>, () => void>} */
  #ends = new Map();

  /**
   * Calls `act` after `ms`. Returns a function that cancels the call.
   * @param {number} ms
   * @param {() => void} act
   * @returns {() => void}
   */
  after(ms, act) {
    return this.#start(ms, act, () => {});
  }

  /**
   * Resolves after `ms`, or when the timers are cleared.
   * @param {number} ms
   * @returns {Promise<void>}
   */
  pause(ms) {
    return new Promise((resolve) => this.#start(ms, resolve, resolve));
  }

  /** Ends all timers that run. */
  clear() {
    for (const end of [...this.#ends.values()]) end();
  }

  /**
   * @param {number} ms
   * @param {() => void} act
   * @param {() => void} cleared
   */
  #start(ms, act, cleared) {
    const id = setTimeout(() => {
      this.#ends.delete(id);
      act();
    }, ms);
    const cancel = () => {
      clearTimeout(id);
      this.#ends.delete(id);
    };
    this.#ends.set(id, () => {
      cancel();
      cleared();
    });
    return cancel;
  }
}
