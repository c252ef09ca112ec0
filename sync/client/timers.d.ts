// Made by python -m tests.sync.client.types; not to be edited.

/** Timers that are cleared together, so that nothing runs on after its owner has ended. */
export declare class Timers {
    #private;
    /**
     * Calls `act` after `ms`. Returns a function that cancels the call.
     * @param {number} ms
     * @param {() => void} act
     * @returns {() => void}
     */
    after(ms: number, act: () => void): () => void;
    /**
     * Resolves after `ms`, or when the timers are cleared.
     * @param {number} ms
     * @returns {Promise<void>}
     */
    pause(ms: number): Promise<void>;
    /** Ends all timers that run. */
    clear(): void;
}
