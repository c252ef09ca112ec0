// A press becomes one command of the centre, whatever happens on the way. It is shown as pending until the centre has
// answered. Where the answer is lost, the same command goes again with the same id; an old one goes nowhere.

import { isUndoable } from "./board_offers.js";

const PAUSES_MS = [500, 1_000, 2_000, 4_000, 8_000]; // between the tries; the last one again and again
const FRESH_MS = 60_000; // a press that is older may no longer be what anybody wants
const SEEN_MS = 2_000; // the picture of the board follows the answer within this time

/**
 * A press: `id` is its action id, `queueId` the entry that it is about, `row` that entry as the screen showed it, `offer`
 * what was pressed, `who` names the patient in words, `state` is `sent`, `lost` (no answer came, it goes again) or
 * `settling` (answered, the picture follows).
 * @typedef {{id: string, queueId: string, row: object, offer: {kind: string, name: string}, who: string, command: object, madeAt: number,
 *   at: string, state: string, undoes?: string}} Press
 */

/** The presses of one board. */
export class Presses {
  #open = new Map(); // by queue id: at most one for each entry
  #done = []; // the ids of what may be taken back, the latest last
  #wakes = new Set();

  /**
   * `send` sends a command with an action id and returns its answer; `newId` makes an id; `changed` is called when a press
   * begins, loses its answer or ends; `tell` gets each press that has ended with the answer, or with null where it was
   * given up; `rowOf` returns an entry as the board shows it; `isOnline` says whether the picture of the board is live; `now`
   * is the page's clock.
   */
  constructor({ send, newId, changed, tell, rowOf, isOnline, now = () => performance.now() }) {
    Object.assign(this, { send, newId, changed, tell, rowOf, isOnline, now });
  }

  /** Returns the press that an entry waits for; undefined without one. */
  about(queueId) {
    return this.#open.get(queueId);
  }

  /** Returns the latest press of this page that may be taken back; undefined without one. */
  get latest() {
    return this.#done.at(-1);
  }

  /** Whether an answer is missing. */
  get isWaiting() {
    return this.#open.size > 0;
  }

  /** Sends a press, unless the entry waits for another one. An undo waits for no picture. Returns whether it was sent. */
  press({ queueId, offer, who, command, at, undoes }) {
    const before = this.#open.get(queueId);
    if (before && !(undoes && before.state === "settling")) return false;
    const made = { id: this.newId(), row: this.rowOf(queueId), madeAt: this.now(), state: "sent" };
    const press = { ...made, queueId, offer, who, command, at, undoes };
    this.#open.set(queueId, press);
    this.changed();
    this.#run(press);
    return true;
  }

  /** Compares with news of rows: a press that the centre shows as done is done, whether or not its answer came. */
  compare(rows) {
    for (const row of rows) {
      const press = this.#open.get(row.queue_id);
      if (press?.state === "settling") this.#end(press);
      else if (press && row.undo?.action_id === press.id) this.#finish(press, { ok: true });
    }
  }

  /** The picture is live again, and was compared: what still has no answer goes again at once. */
  wake() {
    for (const wake of [...this.#wakes]) wake();
  }

  async #run(press) {
    for (let attempt = 0; this.#open.get(press.queueId) === press; attempt += 1) {
      const answer = await this.send(press.command, press.id);
      if (this.#open.get(press.queueId) !== press) return;
      if (!isLost(answer)) return this.#finish(press, answer);
      press.state = "lost";
      this.changed();
      // Without a connection the page waits for the next picture, which may show that the command had come.
      await this.#pause(this.isOnline() ? PAUSES_MS[Math.min(attempt, PAUSES_MS.length - 1)] : Infinity);
      if (press.state !== "lost") return;
      if (this.now() - press.madeAt > FRESH_MS) return this.#finish(press, null);
    }
  }

  #finish(press, answer) {
    if (answer?.ok) this.#remember(press);
    press.state = "settling";
    const isSeen = this.rowOf(press.queueId) !== press.row; // the news came before the answer
    if (!answer?.ok || isSeen) this.#end(press);
    else setTimeout(() => this.#end(press), SEEN_MS);
    this.changed();
    this.tell(press, answer);
  }

  #remember({ id, queueId, offer, who, undoes }) {
    this.#done = this.#done.filter((done) => done.id !== undoes);
    if (!undoes && isUndoable(offer)) this.#done.push({ id, queueId, offer, who });
  }

  /** What cannot be taken back any more is offered no more. */
  forget(id) {
    this.#done = this.#done.filter((done) => done.id !== id);
    this.changed();
  }

  #end(press) {
    if (this.#open.get(press.queueId) !== press) return;
    this.#open.delete(press.queueId);
    this.changed();
  }

  #pause(ms) {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#wakes.delete(wake);
        resolve();
      };
      const timer = Number.isFinite(ms) ? setTimeout(wake, ms) : 0;
      this.#wakes.add(wake);
    });
  }
}

// The centre has not decided: nobody answered, or it says that it could not.
function isLost({ ok, status, code }) {
  return !ok && (status === 0 || ["busy", "internal", "no_site", "too_slow"].includes(code));
}
