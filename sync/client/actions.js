// A press becomes one action, whatever happens on the way. The action id is made at the press. It stays the same through
// every repeat, over socket or HTTP, until an answer comes.

import { Timers } from "./timers.js";

const PAUSES_MS = [0, 400, 1_200, 2_500, 4_000]; // before each try

/**
 * What became of one try: an answer, or none. `again` are the milliseconds after which the server asks to be asked again.
 * @template T
 * @typedef {{answer: T | null, again?: number}} Try
 */

/**
 * The actions of one screen.
 * @template {object} A an action without its id
 * @template T an answer
 */
export class Actions {
  #timers = new Timers();
  /** @type {(action: A & {action_id: string}, attempt: number) => Promise<Try<T>>} */
  #send;
  /** @type {{occasion: string, action: A & {action_id: string}, answer: Promise<T | null> | null} | null} */
  #unanswered = null;
  #run = {}; // another one after each cancel

  /** @param {(action: A & {action_id: string}, attempt: number) => Promise<Try<T>>} send tries once, counted from 0 */
  constructor(send) {
    this.#send = send;
  }

  /**
   * Sends an action until it is answered. Returns the answer; null where none comes after several tries.
   *
   * `occasion` tells two presses apart. A further press of one occasion is the same action until an answer has come.
   * @param {string} occasion
   * @param {A} action
   * @returns {Promise<T | null>}
   */
  act(occasion, action) {
    if (this.#unanswered?.occasion !== occasion) {
      this.#unanswered = { occasion, action: { ...action, action_id: newId() }, answer: null };
    }
    const unanswered = this.#unanswered;
    unanswered.answer ??= this.#repeat(unanswered.action).then(({ answer, again }) => {
      unanswered.answer = null;
      if (answer !== null && again === undefined && this.#unanswered === unanswered) this.#unanswered = null;
      return answer;
    });
    return unanswered.answer;
  }

  /** Sends what is unanswered no more. */
  cancel() {
    this.#run = {};
    this.#unanswered = null;
    this.#timers.clear();
  }

  /**
   * @param {A & {action_id: string}} action
   * @returns {Promise<Try<T>>}
   */
  async #repeat(action) {
    /** @type {Try<T>} */
    let last = { answer: null };
    const run = this.#run;
    for (const [attempt, pause] of PAUSES_MS.entries()) {
      const wait = Math.max(pause, last.again ?? 0);
      if (wait) await this.#timers.pause(wait);
      if (this.#run !== run) break;
      last = await this.#send(action, attempt);
      if (last.answer !== null && last.again === undefined) break;
    }
    return last;
  }
}

/**
 * Makes a UUID (RFC 9562, version 4). `crypto.randomUUID` is missing on pages that came by plain HTTP.
 * @returns {string}
 */
export function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
