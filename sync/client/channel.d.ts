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
