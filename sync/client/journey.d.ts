// Made by python -m tests.sync.client.types; not to be edited.

export type CurrentState = import("./protocol.js").CurrentState;
export type ActionResult = import("./results.js").ActionResult;
export type Ending = "unauthorized" | "forbidden";
export type Snapshot = Readonly<{
    journeyState: CurrentState["journey_state"] | null;
    queueDetails: CurrentState["queue_details"];
    appointments: CurrentState["appointments"];
    availableActions: CurrentState["available_actions"];
    timestamp: string | null;
    loading: boolean;
    isConnected: boolean;
    ended: Ending | null;
    definitions: import("./protocol.js").StateDefinitions | null;
}>;
export type JourneyTimes = {
    channel: import("./channel.js").ChannelTimes;
    answerWithinMs: number;
    pollEveryMs: number;
    refreshEveryMs: number;
};
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
export declare const TIMES: JourneyTimes;
export type JourneyOptions = {
    url?: string;
    token?: import("./bearer.js").Token;
    onEnded?: (why: Ending) => void;
    WebSocket?: typeof WebSocket;
    times?: JourneyTimes;
};
/** The journey of the patient whose token it is. Any number of listeners share its one connection. */
export declare class PatientJourney {
    #private;
    /** @param {JourneyOptions} [options] */
    constructor(options?: JourneyOptions);
    /** Connects, and stays connected until `close()` or the end of the token. */
    start(): void;
    /** Ends every connection and timer. `start()` begins again. */
    close(): void;
    /**
     * Calls `listener` after each change, until the returned function is called.
     * @type {(listener: () => void) => () => void}
     */
    subscribe: (listener: () => void) => () => void;
    /**
     * Returns what is known now: the same object until the next change.
     * @type {() => Snapshot}
     */
    read: () => Snapshot;
    /**
     * Returns the journey state that belongs to the state of a queue entry, by the definitions of the site.
     * @param {import("./protocol.js").QueueState} queueState
     */
    journeyStateOf(queueState: import("./protocol.js").QueueState): import("./protocol.js").JourneyState | null;
    /**
     * Does an action, over the socket or over HTTP, and repeats it with the same id until it is answered. Never rejects.
     * @type {(
     *   actionType: import("./protocol.js").ActionType,
     *   payload?: import("./protocol.js").ActionPayload & Record<string, unknown>,
     * ) => Promise<ActionResult>}
     */
    perform: (actionType: import("./protocol.js").ActionType, payload?: import("./protocol.js").ActionPayload & Record<string, unknown>) => Promise<ActionResult>;
    /**
     * Asks for the present state, over the socket or over HTTP.
     * @type {() => Promise<void>}
     */
    refresh: () => Promise<void>;
    /**
     * Tells the socket that the app has a newer token, so that it goes on with that. Where it is not told, another socket is
     * opened when the former token ends.
     * @type {() => Promise<void>}
     */
    renew: () => Promise<void>;
}
