// Plain requests to the centre.

import { Timers } from "./timers.js";

const ANSWER_WITHIN_MS = 10_000;

/**
 * An answer of the centre: its status, its JSON, its entity tag, and the milliseconds after which to ask again, where the
 * centre says so.
 * @typedef {{status: number, body: any, etag: string | null, again?: number}} Answer
 */

/** Sends requests. No failure of the network is an exception. */
export class Api {
  /** @type {string} */
  #base;
  /** @type {import("./bearer.js").Bearer} */
  #bearer;
  #timers = new Timers();
  /** @type {Set<AbortController>} */
  #pending = new Set();
  #busyUntil = 0;

  /**
   * @param {string} base the centre's URL without a path
   * @param {import("./bearer.js").Bearer} bearer
   */
  constructor(base, bearer) {
    this.#base = base;
    this.#bearer = bearer;
  }

  /** Whether the centre has asked to wait, and the time is not over. */
  get isBusy() {
    return performance.now() < this.#busyUntil;
  }

  /**
   * Sends a request as the client's bearer. Where its token is refused and there is another one, it is sent once more.
   * Returns null where no answer comes in time, or there is no token now. The session cookie counts for no request.
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   * @returns {Promise<Answer | null>}
   */
  async ask(method, path, body) {
    if (this.#bearer.isCookie) return null;
    const text = body && JSON.stringify(body);
    try {
      const token = await this.#bearer.read();
      const answer = await this.#askAs(token, method, path, text);
      if (answer?.status !== 401 || !(await this.#bearer.renew(token))) return answer;
      return await this.#askAs(await this.#bearer.read(), method, path, text);
    } catch {
      return null; // the app cannot tell its token now
    }
  }

  /**
   * Reads a public document; with the status 304 where the client has the one of that entity tag.
   * @param {string} path
   * @param {string | null} etag
   * @returns {Promise<Answer | null>}
   */
  read(path, etag) {
    return this.#fetch(path, { headers: etag === null ? {} : { "If-None-Match": etag } });
  }

  /** Ends the requests under way. */
  close() {
    this.#timers.clear();
    for (const each of this.#pending) each.abort();
  }

  /**
   * @param {string | null} token
   * @param {string} method
   * @param {string} path
   * @param {string} [body]
   */
  #askAs(token, method, path, body) {
    /** @type {Record<string, string>} */
    const headers = token === null ? {} : { Authorization: `Bearer ${token}` };
    if (body) headers["Content-Type"] = "application/json";
    return this.#fetch(path, { method, headers, body, cache: "no-store" });
  }

  /**
   * @param {string} path
   * @param {RequestInit} request
   * @returns {Promise<Answer | null>}
   */
  async #fetch(path, request) {
    const abort = new AbortController();
    this.#pending.add(abort);
    const cancel = this.#timers.after(ANSWER_WITHIN_MS, () => abort.abort());
    try {
      const response = await fetch(this.#base + path, { ...request, credentials: "omit", signal: abort.signal });
      // A proxy's refusal has no JSON.
      const body = response.status === 304 ? null : await response.json().catch(() => undefined);
      return response.ok && body === undefined ? null : this.#answer(response, body ?? null);
    } catch {
      return null;
    } finally {
      cancel();
      this.#pending.delete(abort);
    }
  }

  /**
   * @param {Response} response
   * @param {any} body
   * @returns {Answer}
   */
  #answer({ status, headers }, body) {
    const seconds = Number(headers.get("Retry-After") ?? NaN);
    const again = Number.isNaN(seconds) ? undefined : seconds * 1000;
    if (again !== undefined) this.#busyUntil = performance.now() + again;
    return { status, body, etag: headers.get("ETag"), again };
  }
}
