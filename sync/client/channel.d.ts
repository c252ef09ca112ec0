// Made by python -m tests.sync.client.types; not to be edited.

export type ChannelStatus = "closed" | "connecting" | "open" | "waiting";
export type Message = {
    type: string;
    [member: string]: any;
};
export type ChannelTimes = {
    pingEveryMs: number;
    silentMs: number;
    stableMs: number;
    backoff: import("./backoff.js").Backoff;
};
export type ChannelOptions = {
    address: () => {
        url: string;
        protocols?: string[];
    } | Promise<{
        url: string;
        protocols?: string[];
    }>;
    hear: (message: Message) => void;
    follow: (status: ChannelStatus) => void;
    mayReopen?: (code: number) => boolean | Promise<boolean>;
    times: ChannelTimes;
    WebSocket?: typeof WebSocket;
};
export type Question = {
    isAnswer: (message: Message) => boolean;
    resolve: (message: Message | null) => void;
};
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
export declare const TIMES: ChannelTimes;
/** A connection that lasts: sockets, one after the other, until it is closed. */
export declare class Channel {
    #private;
    /** @param {ChannelOptions} options */
    constructor(options: ChannelOptions);
    /** @returns {ChannelStatus} */
    get status(): ChannelStatus;
    /** Opens a socket, and another one after each that ends. */
    open(): void;
    /** Ends the channel: no socket, no timer and no listener is left. */
    close(): void;
    /**
     * Sends a command; does nothing where no socket is open.
     * @param {string} command
     * @param {object} [fields]
     */
    send(command: string, fields?: object): void;
    /**
     * Sends a command and returns the message that answers it; null where none comes in time.
     * @param {string} command
     * @param {object} fields
     * @param {(message: Message) => boolean} isAnswer
     * @param {number} withinMs
     * @returns {Promise<Message | null>}
     */
    ask(command: string, fields: object, isAnswer: (message: Message) => boolean, withinMs: number): Promise<Message | null>;
}
