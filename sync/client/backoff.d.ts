// Made by python -m tests.sync.client.types; not to be edited.

export type Backoff = {
    firstMs: number;
    mostMs: number;
};
/**
 * The bounds of the waits between tries, in milliseconds.
 * @typedef {{firstMs: number, mostMs: number}} Backoff
 */
/**
 * Returns the milliseconds to wait after so many failures: a random part of a time that doubles with each one. With full
 * jitter, the clients of a server that comes back do not all connect in one moment.
 * @param {number} failures
 * @param {Backoff} bounds
 * @param {() => number} [random] returns a number from 0 to 1
 * @returns {number}
 */
export declare function waitAfter(failures: number, { firstMs, mostMs }: Backoff, random?: () => number): number;
