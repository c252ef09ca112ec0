// Calls of the centre's API. Every outcome is a value, never an exception.

import { Actions, newId } from "/client/actions.js";
import { N_, _ } from "/page/words.js";
import { csrf } from "./start.js";

const PATIENCE_MS = 10_000;
const API = "/api/v1";

/**
 * What became of a call: `{ok: true, status, body}`, or `{ok: false, status, code, error, body}`. `error` is a sentence in the
 * reader's language where one is known, else the centre's English one. Without an answer the status is 0 and the code
 * `no_answer`: nobody knows whether the centre has done it. `unattended`: the page asks by itself, so that an idle session ends in time.
 */
export async function send(method, path, body, { unattended = false } = {}) {
  const headers = { "X-CSRF-Token": csrf, ...(unattended ? { "X-Unattended": "1" } : {}) };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const signal = AbortSignal.timeout(PATIENCE_MS);
  try {
    const answer = await fetch(API + path, { method, headers, body: body && JSON.stringify(body), signal, cache: "no-store" });
    return outcome(answer, await answer.json());
  } catch {
    return { ok: false, status: 0, code: "no_answer", error: sentence("no_answer"), body: {} };
  }
}

/** Reads. Members of the query that are undefined, null or empty are left out. */
export function get(path, query = {}, how = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = new URLSearchParams(given).toString();
  return send("GET", text ? `${path}?${text}` : path, undefined, how);
}

/** Sends a body that asks for something and changes nothing, such as a search. */
export const post = (path, body = {}, how = {}) => send("POST", path, body, how);

/** Acts once: with an action id that stays the same through every repeat, until an answer comes or four tries had none. */
export async function act(path, body = {}, { method = "POST", action_id = newId() } = {}) {
  const actions = new Actions((action) => attempt(method, path, { ...action, action_id }));
  const last = await actions.act(path, body);
  return { ...last, action_id };
}

async function attempt(method, path, body) {
  const answer = await send(method, path, body);
  return { answer, again: isPassing(answer) ? 0 : undefined };
}

const isPassing = ({ status, code }) => status === 0 || status === 503 || code === "too_slow";

function outcome(answer, body) {
  if (answer.ok) return { ok: true, status: answer.status, body };
  const { code = "internal", error = "" } = body;
  if (answer.status === 401) document.dispatchEvent(new CustomEvent("signed-out"));
  return { ok: false, status: answer.status, code, error: sentence(code) ?? error, body };
}

function sentence(code) {
  const found = SENTENCES[code];
  return found && _(found);
}

// What a person reads for a code, on every page. A page that knows more says it in its own words.
const SENTENCES = {
  no_answer: N_("The centre does not answer. It is not known whether this was done."),
  busy: N_("The centre is busy. Please try again in a moment."),
  internal: N_("The centre failed. Its log says more."),
  unauthorized: N_("You are signed out."),
  forbidden: N_("Your account may not do this."),
  unknown_patient: N_("There is no such patient."),
  not_found: N_("This is not there any more."),
  not_allowed: N_("That is not possible in the present state."),
  card_blocked: N_("This card was reported lost."),
  no_site: N_("No hospital was set up yet."),
  too_large: N_("That is too long."),
};
