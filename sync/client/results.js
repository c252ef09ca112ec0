// What became of an action: always a value, never an exception.

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
export function isPassing(code) {
  return ["busy", "internal", "no_site", "too_slow"].includes(code);
}

/**
 * @param {string} actionId
 * @param {CurrentState} state
 * @returns {Done}
 */
export function done(actionId, state) {
  return { ok: true, actionId, state };
}

/**
 * @param {any} body
 * @returns {Refused}
 */
export function refusalOf({ code, error, journey_state, available_actions }) {
  return { ok: false, code, message: error, journeyState: journey_state ?? null, availableActions: available_actions ?? [] };
}

/**
 * @param {Refused["code"]} code
 * @param {string} message
 * @returns {Refused}
 */
export function refusal(code, message) {
  return { ok: false, code, message, journeyState: null, availableActions: [] };
}
