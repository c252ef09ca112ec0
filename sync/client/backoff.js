// How long to wait before the next try.

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
export function waitAfter(failures, { firstMs, mostMs }, random = Math.random) {
  return random() * Math.min(mostMs, firstMs * 2 ** (failures - 1));
}
