// A patient's journey, live: the centre's socket first, and plain requests while that is down.

import { Actions } from "./actions.js";
import { Api } from "./api.js";
import { Bearer } from "./bearer.js";
import { Channel, TIMES as CHANNEL_TIMES } from "./channel.js";
import { Definitions } from "./definitions.js";
import { Latest } from "./latest.js";
import { done, isPassing, refusal, refusalOf } from "./results.js";
import { Timers } from "./timers.js";

const CURRENT_STATE = "/api/v1/patient-journey/current-state/";
const PERFORM_ACTION = "/api/v1/patient-journey/perform-action/";
const SOCKET = "/ws/patient-journey/";
const FORBIDDEN = 4403; // the close code for a token that may not follow this patient
const UNAUTHORIZED = 4401; // the close code for a token that is not valid

/** @typedef {import("./protocol.js").CurrentState} CurrentState */
/** @typedef {import("./results.js").ActionResult} ActionResult */

/**
 * Why a journey has ended: the token is not valid (any more), or is not a patient's.
 * @typedef {"unauthorized" | "forbidden"} Ending
 */

/**
 * What is known now. The object is another one after each change, and never changes itself.
 * - `loading`: no state has come yet.
 * - `isConnected`: the socket is open and has told the state.
 * - `ended`: why nothing more comes; null while it goes on.
 * - `definitions`: the states and actions of the site; null before they were read.
 * @typedef {Readonly<{
 *   journeyState: CurrentState["journey_state"] | null,
 *   queueDetails: CurrentState["queue_details"],
 *   appointments: CurrentState["appointments"],
 *   availableActions: CurrentState["available_actions"],
 *   timestamp: string | null,
 *   loading: boolean,
 *   isConnected: boolean,
 *   ended: Ending | null,
 *   definitions: import("./protocol.js").StateDefinitions | null,
 * }>} Snapshot
 */

/**
 * The times of a journey, in milliseconds: those of its channel, how long an answer over the socket may take, and how
 * often the state is asked for while the socket is down (`pollEveryMs`), or while people are ahead (`refreshEveryMs`).
 * @typedef {{
 *   channel: import("./channel.js").ChannelTimes,
 *   answerWithinMs: number,
 *   pollEveryMs: number,
 *   refreshEveryMs: number,
 * }} JourneyTimes
 */

/** @type {JourneyTimes} */
export const TIMES = {
  channel: CHANNEL_TIMES,
  answerWithinMs: 8_000,
  pollEveryMs: 15_000,
  refreshEveryMs: 30_000,
};

/**
 * - `url`: the centre's URL without a path; the page's own origin where it is left out.
 * - `token`: a token or a function that returns it. Without one the browser's session cookie counts.
 * - `onEnded`: called when the token is refused and there is no other one.
 * - `WebSocket`: the class of sockets, for Node before 22.
 * @typedef {{
 *   url?: string,
 *   token?: import("./bearer.js").Token,
 *   onEnded?: (why: Ending) => void,
 *   WebSocket?: typeof WebSocket,
 *   times?: JourneyTimes,
 * }} JourneyOptions
 */

/** @type {Snapshot} */
const NOTHING = Object.freeze({
  journeyState: null,
  queueDetails: [],
  appointments: [],
  availableActions: [],
  timestamp: null,
  loading: true,
  isConnected: false,
  ended: null,
  definitions: null,
});

/** The journey of the patient whose token it is. Any number of listeners share its one connection. */
export class PatientJourney {
  #options;
  #times;
  #bearer;
  #api;
  #definitions;
  #channel;
  /** @type {Actions<{action_type: string, payload: object}, ActionResult>} */
  #actions = new Actions((action, attempt) => this.#try(action, attempt));
  /** @type {Latest<CurrentState>} */
  #latest = new Latest(isNewer);
  #snapshot = NOTHING;
  /** @type {Set<() => void>} */
  #listeners = new Set();
  #timers = new Timers();
  #isRunning = false;
  /** @type {string | null} */
  #tokenOfSocket = null;
  /** @type {number | undefined} */
  #greeting = undefined; // the mark of the present connection, until its first state has come

  /** @param {JourneyOptions} [options] */
  constructor(options = {}) {
    const base = (options.url ?? globalThis.location?.origin ?? "").replace(/\/+$/, "");
    this.#options = options;
    this.#times = options.times ?? TIMES;
    this.#bearer = new Bearer(options.token);
    this.#api = new Api(base, this.#bearer);
    this.#definitions = new Definitions(this.#api);
    this.#channel = new Channel({
      address: () => this.#address(base),
      hear: (message) => this.#hear(message),
      follow: (status) => this.#follow(status),
      mayReopen: (code) => this.#mayReopen(code),
      times: this.#times.channel,
      WebSocket: options.WebSocket,
    });
  }

  /** Connects, and stays connected until `close()` or the end of the token. */
  start() {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#show({ ended: null, loading: this.#latest.state === null });
    globalThis.document?.addEventListener("visibilitychange", this.#look);
    this.#channel.open();
  }

  /** Ends every connection and timer. `start()` begins again. */
  close() {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    globalThis.document?.removeEventListener("visibilitychange", this.#look);
    this.#channel.close();
    this.#api.close();
    this.#actions.cancel();
    this.#timers.clear();
    this.#show({ isConnected: false });
  }

  /**
   * Calls `listener` after each change, until the returned function is called.
   * @type {(listener: () => void) => () => void}
   */
  subscribe = (listener) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /**
   * Returns what is known now: the same object until the next change.
   * @type {() => Snapshot}
   */
  read = () => this.#snapshot;

  /**
   * Returns the journey state that belongs to the state of a queue entry, by the definitions of the site.
   * @param {import("./protocol.js").QueueState} queueState
   */
  journeyStateOf(queueState) {
    return this.#definitions.journeyStateOf(queueState);
  }

  /**
   * Does an action, over the socket or over HTTP, and repeats it with the same id until it is answered. Never rejects.
   * @type {(
   *   actionType: import("./protocol.js").ActionType,
   *   payload?: import("./protocol.js").ActionPayload & Record<string, unknown>,
   * ) => Promise<ActionResult>}
   */
  perform = async (actionType, payload = {}) => {
    if (!this.#isRunning) return refusal(this.#snapshot.ended ?? "closed", "The journey is not running.");
    // A press at another state is another action, such as the second one of two payments.
    const occasion = JSON.stringify([actionType, payload, this.#latest.state?.journey_version]);
    const result = await this.#actions.act(occasion, { action_type: actionType, payload });
    return result ?? refusal(this.#snapshot.ended ?? "no_answer", "No answer has come.");
  };

  /**
   * Asks for the present state, over the socket or over HTTP.
   * @type {() => Promise<void>}
   */
  refresh = async () => {
    if (!this.#isRunning) return;
    const asked = this.#latest.mark();
    const isAnswer = (/** @type {{type: string}} */ { type }) => type === "initial_state";
    const message = this.#snapshot.isConnected
      ? await this.#channel.ask("fetch_initial_state", {}, isAnswer, this.#times.answerWithinMs)
      : null;
    if (message) this.#accept(message.payload, asked);
    else await this.#refreshByHttp(asked);
  };

  /**
   * Tells the socket that the app has a newer token, so that it goes on with that. Where it is not told, another socket is
   * opened when the former token ends.
   * @type {() => Promise<void>}
   */
  renew = async () => {
    const token = await this.#bearer.read();
    const isAnswer = (/** @type {{type: string}} */ { type }) => type === "renewed";
    if (await this.#channel.ask("renew", { token }, isAnswer, this.#times.answerWithinMs)) this.#tokenOfSocket = token;
  };

  // The socket.

  /** @param {string} base */
  async #address(base) {
    this.#tokenOfSocket = await this.#bearer.read();
    const protocols = this.#tokenOfSocket === null ? [] : ["bearer", this.#tokenOfSocket];
    return { url: base.replace(/^http/, "ws") + SOCKET, protocols };
  }

  /** @param {import("./channel.js").ChannelStatus} status */
  #follow(status) {
    if (status === "connecting") this.#greeting = this.#latest.mark();
    if (status === "open") this.#loadDefinitions(); // other rules may have come while it was away
    if (status !== "waiting") return;
    // The next socket tells the state. Where none could be opened, HTTP does: the sockets of all patients may end at once.
    if (!this.#snapshot.isConnected) this.refresh();
    this.#show({ isConnected: false });
    this.#refreshRegularly();
  }

  /** @param {import("./channel.js").Message} message */
  #hear(message) {
    if (message.type === "initial_state") {
      this.#accept(message.payload, this.#greeting);
      this.#greeting = undefined;
      if (this.#snapshot.isConnected) return;
      this.#show({ isConnected: true });
      this.#refreshRegularly();
    } else if (message.payload) {
      this.#accept(message.payload);
    }
  }

  /** @param {number} code */
  async #mayReopen(code) {
    if (code === FORBIDDEN) this.#end("forbidden");
    if (code !== UNAUTHORIZED) return true;
    // Where the app cannot tell now, it is asked again after the next refusal.
    const isRenewed = await this.#bearer.renew(this.#tokenOfSocket).catch(() => true);
    if (!isRenewed) this.#end("unauthorized");
    return isRenewed;
  }

  // Plain requests.

  /** @param {number} [asked] */
  async #refreshByHttp(asked) {
    if (this.#api.isBusy) return;
    const answer = await this.#api.ask("GET", CURRENT_STATE);
    if (answer?.status === 200) this.#accept(answer.body, asked);
    else if (answer?.status === 401) this.#end("unauthorized");
    else if (answer?.status === 403) this.#end("forbidden");
    if (this.#isRunning && !this.#snapshot.definitions) await this.#loadDefinitions();
  }

  async #loadDefinitions() {
    this.#show({ definitions: await this.#definitions.load() });
  }

  #refreshRegularly() {
    const { refreshEveryMs, pollEveryMs } = this.#times;
    this.#timers.clear();
    this.#timers.after(this.#snapshot.isConnected ? refreshEveryMs : pollEveryMs, () => {
      this.#refreshRegularly();
      this.#look();
    });
  }

  // The socket tells when the patient's own state changes, and not when the line before the patient moves.
  #look = () => {
    const { isConnected, queueDetails } = this.#snapshot;
    const isCurrent = isConnected && !queueDetails.some(({ people_ahead }) => people_ahead > 0);
    if (!globalThis.document?.hidden && !isCurrent) this.refresh();
  };

  // Actions.

  /**
   * Tries once. A socket that gave no answer may be dead without an error, so every second try goes over HTTP.
   * @param {{action_id: string}} action
   * @param {number} attempt
   * @returns {Promise<import("./actions.js").Try<ActionResult>>}
   */
  async #try(action, attempt) {
    const isBySocket = this.#channel.status === "open" && attempt % 2 === 0;
    return isBySocket ? this.#tryBySocket(action) : this.#tryByHttp(action);
  }

  /** @param {{action_id: string}} action */
  async #tryBySocket(action) {
    const isAnswer = (/** @type {import("./channel.js").Message} */ { type, action_id }) =>
      type === "action_result" && action_id === action.action_id;
    const message = await this.#channel.ask("perform_action", action, isAnswer, this.#times.answerWithinMs);
    if (message === null) return { answer: null };
    if (message.payload) this.#accept(message.payload);
    if (message.success) return { answer: done(action.action_id, message.payload) };
    return { answer: refusalOf(message), again: isPassing(message.code) ? 0 : undefined };
  }

  /** @param {{action_id: string}} action */
  async #tryByHttp(action) {
    const answer = await this.#api.ask("POST", PERFORM_ACTION, action);
    if (answer?.status === 200) {
      this.#accept(answer.body);
      return { answer: done(action.action_id, answer.body) };
    }
    if (!answer?.body?.code) return { answer: null, again: answer?.again };
    if (answer.status === 401) this.#end("unauthorized"); // a 403 refuses the action alone
    if (isPassing(answer.body.code)) return { answer: refusalOf(answer.body), again: answer.again ?? 0 };
    this.refresh(); // a refusal means that the state is another one than was shown
    return { answer: refusalOf(answer.body) };
  }

  // What is known.

  /**
   * @param {CurrentState} state
   * @param {number} [asked]
   */
  #accept(state, asked) {
    if (!this.#isRunning || !this.#latest.offer(state, asked)) return;
    this.#show({
      journeyState: state.journey_state,
      queueDetails: state.queue_details,
      appointments: state.appointments,
      availableActions: state.available_actions,
      timestamp: state.timestamp,
      loading: false,
    });
  }

  /** @param {Ending} why */
  #end(why) {
    if (!this.#isRunning) return;
    this.close();
    // The device may be in the hands of another person now.
    this.#latest.clear();
    this.#show({ ...NOTHING, loading: false, ended: why, definitions: this.#snapshot.definitions });
    this.#options.onEnded?.(why);
  }

  /** @param {Partial<Snapshot>} changes */
  #show(changes) {
    const next = Object.freeze({ ...this.#snapshot, ...changes });
    if (Object.entries(next).every(([name, value]) => Reflect.get(this.#snapshot, name) === value)) return;
    this.#snapshot = next;
    for (const listener of [...this.#listeners]) listener();
  }
}

/**
 * @param {CurrentState} state
 * @param {CurrentState} than
 */
function isNewer(state, than) {
  if (state.journey_version !== than.journey_version) return state.journey_version > than.journey_version;
  return Date.parse(state.timestamp) >= Date.parse(than.timestamp);
}
