// Made by python -m tests.sync.client.types; not to be edited.

/** The definitions, which are read again for a change by their entity tag. */
export declare class Definitions {
    #private;
    /** @param {import("./api.js").Api} api */
    constructor(api: import("./api.js").Api);
    /**
     * Reads the document, and returns it. Where the centre does not answer, it is the one of before.
     * @returns {Promise<import("./protocol.js").StateDefinitions | null>}
     */
    load(): Promise<import("./protocol.js").StateDefinitions | null>;
    /**
     * Returns the journey state that belongs to the state of a queue entry; null before the document was read, or for a
     * state that it does not name.
     * @param {import("./protocol.js").QueueState} queueState
     * @returns {import("./protocol.js").JourneyState | null}
     */
    journeyStateOf(queueState: import("./protocol.js").QueueState): import("./protocol.js").JourneyState | null;
}
