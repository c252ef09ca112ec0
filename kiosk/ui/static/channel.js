// The line to the kiosk's daemon: a WebSocket, and plain HTTP while that is down. Every state that comes is whole.

const PING_EVERY_MS = 15_000;
const PONG_WITHIN_MS = 5_000;
const ANSWER_WITHIN_MS = 4_000;
const POLL_EVERY_MS = 1_000;
const RETRY_MS = { first: 250, most: 8_000 };

/** Hears screens and sends commands. `heard` gets every new screen, `reached` whether the daemon answers at all. */
export class Channel {
  constructor(heard, reached) {
    this.heard = heard;
    this.reached = reached;
    this.frame = -1;
    this.socket = null;
    this.failures = 0;
    this.waiting = [];
  }

  /** Opens the line and keeps it open. */
  start() {
    this.connect();
    setInterval(() => this.poll(), POLL_EVERY_MS);
    setInterval(() => this.beat(), PING_EVERY_MS);
  }

  get open() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  /**
   * Sends a command over the line that works: `{ok: true}`, `{ok: false, code}` where it was refused, or null where
   * nobody answered in time. The screen that an answer brings is heard first.
   */
  async send(command, fields = {}, line = this.open ? "socket" : "http") {
    return line === "socket" && this.open ? this.sendBySocket(command, fields) : this.sendByHttp(command, fields);
  }

  // The socket.

  connect() {
    const socket = new WebSocket(`ws://${location.host}/ws`);
    this.socket = socket;
    socket.onmessage = (event) => this.socket === socket && this.take(JSON.parse(event.data));
    socket.onclose = () => this.socket === socket && this.lost();
  }

  lost() {
    this.socket = null;
    this.settle(() => true, null);
    const wait = Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** this.failures++);
    setTimeout(() => this.connect(), wait * (0.5 + Math.random()));
    if (this.failures === 1) this.poll();
  }

  take(message) {
    this.lastHeard = performance.now();
    if (message.type === "initial_state") {
      this.failures = 0;
      this.accept(message.payload, true);
    } else if (message.payload) {
      // Frames are missing. What came is whole, so it is shown; asking again costs nothing and mends whatever it was.
      if (message.payload.frame > this.frame + 1) this.whisper("fetch_initial_state");
      this.accept(message.payload, false);
    }
    this.settle((waiter) => waiter.isFor(message), message);
  }

  sendBySocket(command, fields) {
    const isFor =
      command === "perform_action"
        ? (message) => message.type === "action_result" && message.action_id === fields.action_id
        : (message) => message.type === "state_update";
    return new Promise((resolve) => {
      const waiter = { isFor, resolve };
      this.waiting.push(waiter);
      setTimeout(() => this.settle((other) => other === waiter, null), ANSWER_WITHIN_MS);
      this.whisper(command, fields);
    }).then((message) => message && { ok: message.success !== false, code: message.code });
  }

  settle(which, message) {
    for (const waiter of this.waiting.filter(which)) waiter.resolve(message);
    this.waiting = this.waiting.filter((waiter) => !which(waiter));
  }

  whisper(command, fields = {}) {
    if (this.open) this.socket.send(JSON.stringify({ command, ...fields }));
  }

  beat() {
    if (!this.open) return;
    const socket = this.socket;
    const asked = performance.now();
    this.whisper("ping");
    setTimeout(() => {
      if (this.socket !== socket || this.lastHeard >= asked) return;
      socket.onclose = null;
      socket.close();
      this.lost();
    }, PONG_WITHIN_MS);
  }

  // HTTP.

  async poll() {
    if (this.open || this.polling) return;
    this.polling = true;
    const answer = await this.fetch("GET", "/api/v1/state");
    this.polling = false;
    if (this.open) return;
    if (answer?.status === 200) this.accept(answer.body, true);
    else this.reached(false);
  }

  async sendByHttp(command, fields) {
    const path = command === "perform_action" ? "actions" : command;
    const answer = await this.fetch("POST", `/api/v1/${path}`, fields);
    if (!answer || answer.status >= 500) return null;
    if (answer.status === 200) this.accept(answer.body, !this.open);
    else if (answer.body.state) this.accept(answer.body.state, !this.open);
    return { ok: answer.status === 200, code: answer.body.code };
  }

  /** The status and the JSON of an answer, or null where none came. */
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

  // A screen older than the one shown is left alone, unless it is what the daemon says when asked: it may have begun
  // to count anew.
  accept(screen, asked) {
    this.reached(true);
    if (!asked && screen.frame <= this.frame) return;
    this.frame = screen.frame;
    this.heard(screen);
  }
}
