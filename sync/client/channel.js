// One WebSocket that is opened again after every end.

import { waitAfter } from "./backoff.js";
import { Timers } from "./timers.js";

/**
 * What a channel is doing: nothing (`closed`), it opens a socket (`connecting`), has one (`open`), or waits before the next
 * one (`waiting`).
 * @typedef {"closed" | "connecting" | "open" | "waiting"} ChannelStatus
 */

/**
 * A message of the server.
 * @typedef {{type: string, [member: string]: any}} Message
 */

/**
 * The times of a channel, in milliseconds.
 * - `pingEveryMs`: how often the server is asked for a sign of life.
 * - `silentMs`: how long it may leave that, or a new connection, without an answer.
 * - `stableMs`: how long a socket is open before its failures are forgotten.
 * - `backoff`: the waits between two sockets.
 * @typedef {{pingEveryMs: number, silentMs: number, stableMs: number, backoff: import("./backoff.js").Backoff}} ChannelTimes
 */

/**
 * - `address`: called before each connection. It returns the URL and the subprotocols of the socket.
 * - `hear`: gets each message that answers no question.
 * - `follow`: gets each new status.
 * - `mayReopen`: called with the close code of a socket that has ended. Where it returns false, the channel closes.
 * - `WebSocket`: the class of sockets, where the platform has none.
 * @typedef {{
 *   address: () => {url: string, protocols?: string[]} | Promise<{url: string, protocols?: string[]}>,
 *   hear: (message: Message) => void,
 *   follow: (status: ChannelStatus) => void,
 *   mayReopen?: (code: number) => boolean | Promise<boolean>,
 *   times: ChannelTimes,
 *   WebSocket?: typeof WebSocket,
 * }} ChannelOptions
 */

/** @typedef {{isAnswer: (message: Message) => boolean, resolve: (message: Message | null) => void}} Question */

/** @type {ChannelTimes} the times of a client of the centre */
export const TIMES = {
  pingEveryMs: 30_000,
  silentMs: 10_000,
  stableMs: 10_000,
  backoff: { firstMs: 1_000, mostMs: 30_000 },
};

const CUT = 1006; // the code of a connection that ended without one (RFC 6455, 7.1.5)

/** A connection that lasts: sockets, one after the other, until it is closed. */
export class Channel {
  /** @type {ChannelOptions} */
  #options;
  /** @type {ChannelStatus} */
  #status = "closed";
  /** @type {WebSocket | null} */
  #socket = null;
  #timers = new Timers(); // of the present socket, or of the wait for the next one
  #failures = 0;
  /** @type {Set<Question>} */
  #questions = new Set();
  #heardAt = 0;
  #life = {}; // another one from each opening to the next end: what has ended meanwhile does not go on

  /** @param {ChannelOptions} options */
  constructor(options) {
    this.#options = options;
  }

  /** @returns {ChannelStatus} */
  get status() {
    return this.#status;
  }

  /** Opens a socket, and another one after each that ends. */
  open() {
    if (this.#status !== "closed") return;
    globalThis.addEventListener?.("online", this.#wake);
    globalThis.document?.addEventListener("visibilitychange", this.#wake);
    this.#failures = 0;
    this.#connect();
  }

  /** Ends the channel: no socket, no timer and no listener is left. */
  close() {
    globalThis.removeEventListener?.("online", this.#wake);
    globalThis.document?.removeEventListener("visibilitychange", this.#wake);
    this.#drop();
    this.#change("closed");
  }

  /**
   * Sends a command; does nothing where no socket is open.
   * @param {string} command
   * @param {object} [fields]
   */
  send(command, fields = {}) {
    if (this.#status === "open") this.#socket?.send(JSON.stringify({ command, ...fields }));
  }

  /**
   * Sends a command and returns the message that answers it; null where none comes in time.
   * @param {string} command
   * @param {object} fields
   * @param {(message: Message) => boolean} isAnswer
   * @param {number} withinMs
   * @returns {Promise<Message | null>}
   */
  async ask(command, fields, isAnswer, withinMs) {
    if (this.#status !== "open") return null;
    return new Promise((resolve) => {
      /** @type {Question} */
      const question = {
        isAnswer,
        resolve: (message) => {
          cancel();
          this.#questions.delete(question);
          resolve(message);
        },
      };
      const cancel = this.#timers.after(withinMs, () => question.resolve(null));
      this.#questions.add(question);
      this.send(command, fields);
    });
  }

  // Sockets.

  async #connect() {
    this.#timers.clear();
    const life = (this.#life = {});
    this.#timers.after(this.#options.times.silentMs, () => this.#lose(CUT));
    this.#change("connecting");
    try {
      const { url, protocols } = await this.#options.address();
      if (this.#life === life) this.#listenTo(this.#newSocket(url, protocols));
    } catch {
      // There is no address now, such as while the token cannot be renewed, or it is none.
      if (this.#life === life) this.#lose(CUT);
    }
  }

  /**
   * @param {string} url
   * @param {string[]} [protocols]
   */
  #newSocket(url, protocols = []) {
    const Socket = this.#options.WebSocket ?? globalThis.WebSocket;
    return new Socket(url, protocols);
  }

  /** @param {WebSocket} socket */
  #listenTo(socket) {
    this.#socket = socket;
    socket.onopen = () => this.#opened();
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code }) => this.#lose(code);
    socket.onerror = () => {}; // `onclose` follows
  }

  #opened() {
    const { stableMs } = this.#options.times;
    this.#timers.clear();
    this.#timers.after(stableMs, () => (this.#failures = 0));
    this.#pingLater();
    this.#change("open");
  }

  /** @param {unknown} data */
  #receive(data) {
    this.#heardAt = now();
    const message = read(data);
    if (message === null) return;
    const question = [...this.#questions].find(({ isAnswer }) => isAnswer(message));
    if (question) question.resolve(message);
    else this.#options.hear(message);
  }

  /** @param {number} code */
  async #lose(code) {
    const life = this.#drop();
    this.#failures += 1;
    this.#change("waiting");
    const mayReopen = (await this.#options.mayReopen?.(code)) ?? true;
    if (this.#life !== life) return;
    if (mayReopen) this.#timers.after(waitAfter(this.#failures, this.#options.times.backoff), () => this.#connect());
    else this.close();
  }

  /** Leaves the present socket and all that waits for it. Returns the life that begins. */
  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    this.#timers.clear();
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      // A dead connection takes long to close, and nothing waits for it.
      socket.close();
    }
    for (const question of [...this.#questions]) question.resolve(null);
    return (this.#life = {});
  }

  /** @param {ChannelStatus} status */
  #change(status) {
    if (this.#status === status) return;
    this.#status = status;
    this.#options.follow(status);
  }

  // Signs of life.

  #pingLater() {
    this.#timers.after(this.#options.times.pingEveryMs, () => {
      this.#pingLater();
      this.#ping();
    });
  }

  #ping() {
    const askedAt = now();
    this.send("ping");
    this.#timers.after(this.#options.times.silentMs, () => {
      if (this.#heardAt < askedAt) this.#lose(CUT);
    });
  }

  // The device is back in a network, or its page in sight: a socket may be dead without an error, and timers have slept.
  #wake = () => {
    if (globalThis.document?.hidden) return;
    if (this.#status === "waiting") this.#connect();
    else if (this.#status === "open") this.#ping();
  };
}

/**
 * Reads a message; null for what is none.
 * @param {unknown} data
 * @returns {Message | null}
 */
function read(data) {
  try {
    return JSON.parse(String(data));
  } catch {
    return null;
  }
}

function now() {
  return performance.now();
}
