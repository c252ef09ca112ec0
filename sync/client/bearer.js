// Who the client is: a token of the app, or the session cookie of the browser.

/**
 * A token, or a function that returns the present one. After a refusal the function is called with the token that was
 * refused. It returns another one, or null where there is none. Without a token the browser's session cookie counts.
 * @typedef {string | ((refused: string | null) => string | null | Promise<string | null>)} Token
 */

/** The token of one client, which may be renewed. */
export class Bearer {
  /** @type {Token | null} */
  #source;
  /** @type {Map<string | null, Promise<boolean>>} */
  #renewals = new Map();

  /** @param {Token | null} [token] */
  constructor(token = null) {
    this.#source = token;
  }

  /** Whether the browser's session cookie counts. */
  get isCookie() {
    return this.#source === null;
  }

  /**
   * Returns the present token; null where there is none. Raises what the app's function raises.
   * @returns {Promise<string | null>}
   */
  async read() {
    return typeof this.#source === "function" ? this.#source(null) : this.#source;
  }

  /**
   * Asks for another token after a refusal, once for all who were refused. Returns whether there is one.
   * @param {string | null} refused
   * @returns {Promise<boolean>}
   */
  renew(refused) {
    const under = this.#renewals.get(refused) ?? this.#renew(refused).finally(() => this.#renewals.delete(refused));
    this.#renewals.set(refused, under);
    return under;
  }

  /** @param {string | null} refused */
  async #renew(refused) {
    if (typeof this.#source !== "function") return false;
    const token = await this.#source(refused);
    return token !== null && token !== refused;
  }
}
