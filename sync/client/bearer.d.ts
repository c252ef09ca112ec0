// Made by python -m tests.sync.client.types; not to be edited.

export type Token = string | ((refused: string | null) => string | null | Promise<string | null>);
/**
 * A token, or a function that returns the present one. After a refusal the function is called with the token that was
 * refused. It returns another one, or null where there is none. Without a token the browser's session cookie counts.
 * @typedef {string | ((refused: string | null) => string | null | Promise<string | null>)} Token
 */
/** The token of one client, which may be renewed. */
export declare class Bearer {
    #private;
    /** @param {Token | null} [token] */
    constructor(token?: Token | null);
    /** Whether the browser's session cookie counts. */
    get isCookie(): boolean;
    /**
     * Returns the present token; null where there is none. Raises what the app's function raises.
     * @returns {Promise<string | null>}
     */
    read(): Promise<string | null>;
    /**
     * Asks for another token after a refusal, once for all who were refused. Returns whether there is one.
     * @param {string | null} refused
     * @returns {Promise<boolean>}
     */
    renew(refused: string | null): Promise<boolean>;
}
