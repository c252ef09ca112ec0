// Made by python -m tests.sync.client.types; not to be edited.

export type Answer = {
    status: number;
    body: any;
    etag: string | null;
    again?: number;
};
/**
 * An answer of the centre: its status, its JSON, its entity tag, and the milliseconds after which to ask again, where the
 * centre says so.
 * @typedef {{status: number, body: any, etag: string | null, again?: number}} Answer
 */
/** Sends requests. No failure of the network is an exception. */
export declare class Api {
    #private;
    /**
     * @param {string} base the centre's URL without a path
     * @param {import("./bearer.js").Bearer} bearer
     */
    constructor(base: string, bearer: import("./bearer.js").Bearer);
    /** Whether the centre has asked to wait, and the time is not over. */
    get isBusy(): boolean;
    /**
     * Sends a request as the client's bearer. Where its token is refused and there is another one, it is sent once more.
     * Returns null where no answer comes in time, or there is no token now. The session cookie counts for no request.
     * @param {string} method
     * @param {string} path
     * @param {object} [body]
     * @returns {Promise<Answer | null>}
     */
    ask(method: string, path: string, body?: object): Promise<Answer | null>;
    /**
     * Reads a public document; with the status 304 where the client has the one of that entity tag.
     * @param {string} path
     * @param {string | null} etag
     * @returns {Promise<Answer | null>}
     */
    read(path: string, etag: string | null): Promise<Answer | null>;
    /** Ends the requests under way. */
    close(): void;
}
