// Made by python -m tests.sync.client.types; not to be edited.

export type Try<T> = {
    answer: T | null;
    again?: number;
};
/**
 * What became of one try: an answer, or none. `again` are the milliseconds after which the server asks to be asked again.
 * @template T
 * @typedef {{answer: T | null, again?: number}} Try
 */
/**
 * The actions of one screen.
 * @template {object} A an action without its id
 * @template T an answer
 */
export declare class Actions<A extends object, T> {
    #private;
    /** @param {(action: A & {action_id: string}, attempt: number) => Promise<Try<T>>} send tries once, counted from 0 */
    constructor(send: (action: A & {
        action_id: string;
    }, attempt: number) => Promise<Try<T>>);
    /**
     * Sends an action until it is answered. Returns the answer; null where none comes after several tries.
     *
     * `occasion` tells two presses apart. A further press of one occasion is the same action until an answer has come.
     * @param {string} occasion
     * @param {A} action
     * @returns {Promise<T | null>}
     */
    act(occasion: string, action: A): Promise<T | null>;
    /** Sends what is unanswered no more. */
    cancel(): void;
}
/**
 * Makes a UUID (RFC 9562, version 4). `crypto.randomUUID` is missing on pages that came by plain HTTP.
 * @returns {string}
 */
export declare function newId(): string;
