// Made by python -m tests.sync.client.types; not to be edited.

export type CurrentState = import("./protocol.js").CurrentState;
export type Done = {
    ok: true;
    actionId: string;
    state: CurrentState;
};
export type Refused = {
    ok: false;
    code: import("./protocol.js").ErrorCode | "no_answer" | "closed";
    message: string;
    journeyState: CurrentState["journey_state"] | null;
    availableActions: CurrentState["available_actions"];
};
export type ActionResult = Done | Refused;
/** @typedef {import("./protocol.js").CurrentState} CurrentState */
/**
 * What became of an action. A refusal is a value too: `code` is one of the centre's codes, `no_answer` where none came
 * (the same call repeats the same action), or `closed` where the journey is not started. `message` is English, for logs.
 * @typedef {{ok: true, actionId: string, state: CurrentState}} Done
 * @typedef {{
 *   ok: false,
 *   code: import("./protocol.js").ErrorCode | "no_answer" | "closed",
 *   message: string,
 *   journeyState: CurrentState["journey_state"] | null,
 *   availableActions: CurrentState["available_actions"],
 * }} Refused
 * @typedef {Done | Refused} ActionResult
 */
/**
 * Whether a refusal is about the centre's own trouble, so that the same action may be done a moment later.
 * @param {string} code
 */
export declare function isPassing(code: string): boolean;
/**
 * @param {string} actionId
 * @param {CurrentState} state
 * @returns {Done}
 */
export declare function done(actionId: string, state: CurrentState): Done;
/**
 * @param {any} body
 * @returns {Refused}
 */
export declare function refusalOf({ code, error, journey_state, available_actions }: any): Refused;
/**
 * @param {Refused["code"]} code
 * @param {string} message
 * @returns {Refused}
 */
export declare function refusal(code: Refused["code"], message: string): Refused;
