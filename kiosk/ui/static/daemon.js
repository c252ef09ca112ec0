// The kiosk's daemon: a channel to it, and plain HTTP while that is down. Every screen comes whole.

import { Channel } from "/client/channel.js";
import { Latest } from "/client/latest.js";

const TIMES = {
  pingEveryMs: 15_000,
  silentMs: 5_000,
  stableMs: 5_000,
  backoff: { firstMs: 500, mostMs: 8_000 },
};
const ANSWER_WITHIN_MS = 4_000;
const POLL_EVERY_MS = 1_000;

/**
 * Receives screens and sends commands. `onScreen` gets every new screen, `onReachable` whether the daemon answers.
 * `onShutOut` is called where the daemon does not know this browser.
 */
export class Daemon {
  constructor(onScreen, onReachable, onShutOut) {
    this.onScreen = onScreen;
    this.onReachable = onReachable;
    this.onShutOut = onShutOut;
    this.latest = new Latest((screen, than) => screen.frame > than.frame);
    this.channel = new Channel({
      address: () => ({ url: `ws://${location.host}/ws` }),
      hear: (message) => this.hear(message),
      follow: (status) => status === "waiting" && this.poll(),
      times: TIMES,
    });
  }

  /** Opens the connection and keeps it open. */
  start() {
    this.channel.open();
    setInterval(() => this.poll(), POLL_EVERY_MS);
  }

  get isOpen() {
    return this.channel.status === "open";
  }

  /**
   * Sends a command over the socket, or over HTTP while that is down. Returns `{ok: true}`, `{ok: false, code}` where
   * it is refused, or null where no answer comes in time. The screen in an answer is passed on first.
   */
  send(command, fields = {}) {
    return this.isOpen ? this.sendBySocket(command, fields) : this.sendByHttp(command, fields);
  }

  /** Tries to send an action, for `Actions`. A silent socket may be dead, so every second try goes over HTTP. */
  async perform(action, attempt) {
    const answer = await (attempt % 2 ? this.sendByHttp("perform_action", action) : this.send("perform_action", action));
    return { answer };
  }

  // The socket.

  hear(message) {
    if (message.type === "initial_state") {
      this.acceptScreen(message.payload, true);
    } else if (message.payload) {
      // Frames are missing. This one is whole, so it is shown; asking again is cheap, and recovers from any cause.
      if (message.payload.frame > (this.latest.state?.frame ?? -1) + 1) this.channel.send("fetch_initial_state");
      this.acceptScreen(message.payload, false);
    }
  }

  async sendBySocket(command, fields) {
    const isAnswer =
      command === "perform_action"
        ? (message) => message.type === "action_result" && message.action_id === fields.action_id
        : (message) => message.type === "state_update";
    const message = await this.channel.ask(command, fields, isAnswer, ANSWER_WITHIN_MS);
    if (!message) return null;
    this.hear(message);
    return { ok: message.success !== false, code: message.code };
  }

  // HTTP.

  async poll() {
    if (this.isOpen || this.polling) return;
    this.polling = true;
    const answer = await this.fetch("GET", "/api/v1/state");
    this.polling = false;
    if (this.isOpen) return;
    if (answer?.status === 200) this.acceptScreen(answer.body, true);
    else if (answer?.body.code === "no_page") this.onShutOut();
    else this.onReachable(false);
  }

  async sendByHttp(command, fields) {
    const path = command === "perform_action" ? "actions" : command;
    const answer = await this.fetch("POST", `/api/v1/${path}`, fields);
    if (!answer || answer.status >= 500) return null;
    if (answer.status === 200) this.acceptScreen(answer.body, !this.isOpen);
    else if (answer.body.state) this.acceptScreen(answer.body.state, !this.isOpen);
    return { ok: answer.status === 200, code: answer.body.code };
  }

  /** Returns the status and the JSON of an answer; null where none comes. */
  async fetch(method, path, fields) {
    const request = { method, headers: { "X-Kiosk": "1" }, signal: AbortSignal.timeout(ANSWER_WITHIN_MS) };
    if (fields) Object.assign(request, { body: JSON.stringify(fields) });
    try {
      const response = await fetch(path, request);
      return { status: response.status, body: await response.json() };
    } catch {
      return null;
    }
  }

  // A screen older than the shown one is ignored, unless the page asked for it: after a restart the daemon counts its
  // frames from the beginning.
  acceptScreen(screen, requested) {
    this.onReachable(true);
    if (this.latest.offer(screen, requested ? this.latest.mark() : undefined)) this.onScreen(screen);
  }
}
