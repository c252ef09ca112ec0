// Made by python -m tests.sync.client.types; not to be edited.

/** The definitions, which are read again for a change by their entity tag. */
export declare class Definitions {
    #private;
    /** @param {import("./api.js").Api} api */
    constructor(api: import("./api.js").Api);
    /** The document; null before it was read. */
    get document(): import("./protocol.js").StateDefinitions | null;
    /** Reads the document. Keeps the one that it has where the centre does not answer. */
    load(): Promise<void>;
    /**
     * Returns the journey state that belongs to the state of a queue entry; null before the document was read, or for a
     * state that it does not name.
     * @param {import("./protocol.js").QueueState} queueState
     * @returns {import("./protocol.js").JourneyState | null}
     */
    journeyStateOf(queueState: import("./protocol.js").QueueState): import("./protocol.js").JourneyState | null;
}
