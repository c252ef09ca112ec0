// The connection to the kiosk's daemon: a WebSocket, and plain HTTP while that is down. Every screen comes whole.

const PING_EVERY_MS = 15_000;
const PONG_WITHIN_MS = 5_000;
const ANSWER_WITHIN_MS = 4_000;
const POLL_EVERY_MS = 1_000;
const RETRY_MS = { first: 250, most: 8_000 };

/**
 * Receives screens and sends commands. `onScreen` gets every new screen, `onReachable` whether the daemon answers.
 * `onShutOut` is called where the daemon does not know this browser.
 */
export class Channel {
  constructor(onScreen, onReachable, onShutOut) {
    this.onScreen = onScreen;
    this.onReachable = onReachable;
    this.onShutOut = onShutOut;
    this.frame = -1;
    this.socket = null;
    this.failures = 0;
    this.waiters = [];
  }

  /** Opens the connection and keeps it open. */
  start() {
    this.connect();
    setInterval(() => this.poll(), POLL_EVERY_MS);
    setInterval(() => this.checkSocket(), PING_EVERY_MS);
  }

  get open() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  /**
   * Sends a command over the socket, or over HTTP while that is down. Returns `{ok: true}`, `{ok: false, code}` where
   * it is refused, or null where no answer comes in time. The screen in an answer is passed on first.
   */
  async send(command, fields = {}, line = this.open ? "socket" : "http") {
    return line === "socket" && this.open ? this.sendBySocket(command, fields) : this.sendByHttp(command, fields);
  }

  // The socket.

  connect() {
    const socket = new WebSocket(`ws://${location.host}/ws`);
    this.socket = socket;
    socket.onmessage = (event) => this.socket === socket && this.receive(JSON.parse(event.data));
    socket.onclose = () => this.socket === socket && this.reconnect();
  }

  reconnect() {
    this.socket = null;
    this.resolveWaiters(() => true, null);
    const wait = Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** this.failures++);
    setTimeout(() => this.connect(), wait * (0.5 + Math.random()));
    if (this.failures === 1) this.poll();
  }

  receive(message) {
    this.lastMessageAt = performance.now();
    if (message.type === "initial_state") {
      this.failures = 0;
      this.acceptScreen(message.payload, true);
    } else if (message.payload) {
      // Frames are missing. This one is whole, so it is shown; asking again is cheap, and recovers from any cause.
      if (message.payload.frame > this.frame + 1) this.sendMessage("fetch_initial_state");
      this.acceptScreen(message.payload, false);
    }
    this.resolveWaiters((waiter) => waiter.isFor(message), message);
  }

  sendBySocket(command, fields) {
    const isFor =
      command === "perform_action"
        ? (message) => message.type === "action_result" && message.action_id === fields.action_id
        : (message) => message.type === "state_update";
    return new Promise((resolve) => {
      const waiter = { isFor, resolve };
      this.waiters.push(waiter);
      setTimeout(() => this.resolveWaiters((other) => other === waiter, null), ANSWER_WITHIN_MS);
      this.sendMessage(command, fields);
    }).then((message) => message && { ok: message.success !== false, code: message.code });
  }

  resolveWaiters(matches, message) {
    for (const waiter of this.waiters.filter(matches)) waiter.resolve(message);
    this.waiters = this.waiters.filter((waiter) => !matches(waiter));
  }

  sendMessage(command, fields = {}) {
    if (this.open) this.socket.send(JSON.stringify({ command, ...fields }));
  }

  checkSocket() {
    if (!this.open) return;
    const socket = this.socket;
    const askedAt = performance.now();
    this.sendMessage("ping");
    setTimeout(() => {
      if (this.socket !== socket || this.lastMessageAt >= askedAt) return;
      socket.onclose = null;
      socket.close();
      this.reconnect();
    }, PONG_WITHIN_MS);
  }

  // HTTP.

  async poll() {
    if (this.open || this.polling) return;
    this.polling = true;
    const answer = await this.fetch("GET", "/api/v1/state");
    this.polling = false;
    if (this.open) return;
    if (answer?.status === 200) this.acceptScreen(answer.body, true);
    else if (answer?.body.code === "no_page") this.onShutOut();
    else this.onReachable(false);
  }

  async sendByHttp(command, fields) {
    const path = command === "perform_action" ? "actions" : command;
    const answer = await this.fetch("POST", `/api/v1/${path}`, fields);
    if (!answer || answer.status >= 500) return null;
    if (answer.status === 200) this.acceptScreen(answer.body, !this.open);
    else if (answer.body.state) this.acceptScreen(answer.body.state, !this.open);
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
    if (!requested && screen.frame <= this.frame) return;
    this.frame = screen.frame;
    this.onScreen(screen);
  }
}
