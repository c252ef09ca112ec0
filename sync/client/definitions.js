// The states and actions of the site, as the centre publishes them.

const PATH = "/api/v1/state-definitions/";

/** The definitions, which are read again for a change by their entity tag. */
export class Definitions {
  /** @type {import("./api.js").Api} */
  #api;
  /** @type {import("./protocol.js").StateDefinitions | null} */
  #document = null;
  /** @type {string | null} */
  #etag = null;

  /** @param {import("./api.js").Api} api */
  constructor(api) {
    this.#api = api;
  }

  /**
   * Reads the document, and returns it. Where the centre does not answer, it is the one of before.
   * @returns {Promise<import("./protocol.js").StateDefinitions | null>}
   */
  async load() {
    const answer = await this.#api.read(PATH, this.#etag);
    if (answer?.status === 200) {
      this.#document = answer.body;
      this.#etag = answer.etag;
    }
    return this.#document;
  }

  /**
   * Returns the journey state that belongs to the state of a queue entry; null before the document was read, or for a
   * state that it does not name.
   * @param {import("./protocol.js").QueueState} queueState
   * @returns {import("./protocol.js").JourneyState | null}
   */
  journeyStateOf(queueState) {
    return this.#document?.mappings.queue_to_journey[queueState] ?? null;
  }
}
