// The newest of states that come by several ways: pushed by a socket, as answers of a socket, and as answers over HTTP.

/**
 * Keeps the newest state. An older one never replaces it, by whichever way it comes.
 * @template T
 */
export class Latest {
  /** @type {T | null} */
  #state = null;
  #count = 0;
  /** @type {(state: T, than: T) => boolean} */
  #isNewer;

  /** @param {(state: T, than: T) => boolean} isNewer whether a state is as new as another one, or newer */
  constructor(isNewer) {
    this.#isNewer = isNewer;
  }

  /** The newest state; null before the first. */
  get state() {
    return this.#state;
  }

  /**
   * Returns a mark of this moment, to be taken before a question is sent.
   * @returns {number}
   */
  mark() {
    return this.#count;
  }

  /**
   * Offers a state. Returns whether it is the newest one from now on.
   *
   * An answer comes with the mark of its question. Where no other state came since then, it is the newest, whatever its
   * number says: the numbers of a server that was restored from a backup begin at an earlier one.
   * @param {T} state
   * @param {number} [asked]
   * @returns {boolean}
   */
  offer(state, asked) {
    if (this.#state !== null && asked !== this.#count && !this.#isNewer(state, this.#state)) return false;
    this.#state = state;
    this.#count += 1;
    return true;
  }

  /** Forgets the state. */
  clear() {
    this.#state = null;
    this.#count += 1;
  }
}
