// Made by python -m tests.sync.client.types; not to be edited.

/**
 * Keeps the newest state. An older one never replaces it, by whichever way it comes.
 * @template T
 */
export declare class Latest<T> {
    #private;
    /** @param {(state: T, than: T) => boolean} isNewer whether a state is as new as another one, or newer */
    constructor(isNewer: (state: T, than: T) => boolean);
    /** The newest state; null before the first. */
    get state(): T | null;
    /**
     * Returns a mark of this moment, to be taken before a question is sent.
     * @returns {number}
     */
    mark(): number;
    /**
     * Offers a state. Returns whether it is the newest one from now on.
     *
     * An answer comes with the mark of its question. Where no other state came since then, it is the newest, whatever its
     * number says: the numbers of a server that was restored from a backup begin at an earlier one.
     * @param {T} state
     * @param {number} [asked]
     * @returns {boolean}
     */
    offer(state: T, asked?: number): boolean;
    /** Forgets the state. */
    clear(): void;
}
