// The ways to settle a case, each with what it would do, and the question before it is done.

import { h } from "/page/dom.js";
import { _ } from "/page/words.js";
import { personWords } from "./inbox_case.js";
import { effectWords } from "./inbox_effect.js";
import { ask } from "./dialog.js";
import { journeyWord } from "./states.js";

const MOST_REASON = 500;
const WAYS = {
  apply: { title: () => _("It counts"), hint: () => _("The patient did it, and it is to count."), button: () => _("Let it count"), key: "a" },
  reassign: { title: () => _("Assign to a patient"), hint: () => _("Find the patient who was at the kiosk."), button: () => _("Assign it to this patient"), key: "r" },
  discard: { title: () => _("It does not count"), hint: () => _("Nobody did it, or it no longer matters. A reason is needed."), button: () => _("Discard it"), key: "d" },
};

/** The elements with which a case is settled. */
export function settleParts(settling, { isAway, repeats }) {
  if (!settling.may.length) return [];
  return [
    h("h3", { id: "settle-title" }, settling.isReport ? _("Close the report") : _("Settle the case")),
    h("p", { class: "hint" }, _("Below each way stands what it would do. A settled case cannot be opened again.")),
    settling.isReport ? way(settling, "discard", isAway, REPORT) : Object.keys(WAYS).filter((how) => settling.may.includes(how)).map((how) => way(settling, how, isAway, WAYS[how])),
    repeats,
  ];
}

const REPORT = { title: () => _("Seen to"), hint: () => _("The case only tells you something. Close it once it is seen to. A reason is needed."), button: () => _("Close the report"), key: "d" };

function way(settling, how, isAway, { title, hint, button, key }) {
  const isReady = settling.isReady(how) && !isAway;
  return h(
    "section",
    { class: "way", "aria-labelledby": `way-${how}` },
    h("h4", { id: `way-${how}` }, title()),
    h("p", { class: "hint" }, hint()),
    how === "reassign" && patientParts(settling),
    effect(settling, how),
    h(
      "button",
      { type: "button", class: how === "discard" && !settling.isReport ? "danger" : "primary", "data-do": "settle", "data-how": how, "data-name": `settle-${how}`, "aria-disabled": isReady ? null : "true", "aria-keyshortcuts": key },
      button(),
      " ",
      h("kbd", {}, key.toUpperCase()),
    ),
  );
}

function effect(settling, how) {
  if (how === "reassign" && !settling.patient) return null;
  const found = settling.effects[how];
  if (!found) return h("p", { class: "hint" }, _("Looking at what that would do."));
  return found.failed ? h("p", { class: "refusal" }, found.failed) : effectWords(found);
}

function patientParts(settling) {
  return [
    h(
      "form",
      { class: "find", role: "search", "data-form": "find" },
      h("label", { for: "find" }, _("Patient: name (with birth date), number or patient id")),
      h("div", { class: "row" }, h("input", { id: "find", type: "search", maxlength: "100", autocomplete: "off", "data-name": "find" }), h("button", { "data-name": "find-go" }, _("Find"))),
    ),
    h("div", { class: "found", role: "status" }, foundWords(settling)),
    settling.found?.length > 0 && !settling.patient && h("ul", { class: "people" }, settling.found.map(person)),
    settling.patient && h("p", { class: "chosen" }, h("span", {}, personWords(settling.patient)), h("button", { type: "button", class: "quiet small", "data-do": "unchoose", "data-name": "unchoose" }, _("Another one"))),
    settling.mayBind && h("label", { class: "bind" }, h("input", { type: "checkbox", "data-do": "bind", "data-name": "bind", checked: settling.bind }), _("The card is this patient's from now on")),
  ];
}

function foundWords({ found, isSearching, failed, query, hasMore, patient }) {
  if (patient) return "";
  if (isSearching) return _("Searching.");
  if (failed) return failed;
  if (found?.length === 0) return _("No patient was found for: {query}", { query });
  return hasMore ? _("There are more. A longer text finds fewer.") : "";
}

function person(each) {
  return h(
    "li",
    {},
    h("button", { type: "button", "data-do": "choose", "data-patient": each.patient_id, "data-name": `choose-${each.patient_id}` }, h("span", {}, personWords(each), each.journey_state && ` · ${journeyWord(each.journey_state)}`)),
  );
}

/** Asks once more before it is done, with what it will do. Returns what is to be sent; null where the person cancels. */
export async function confirmed(settling, how) {
  const { title, button } = settling.isReport ? REPORT : WAYS[how];
  const wish = settling.wish(how);
  const isNeeded = how === "discard";
  const person = how === "reassign" && h("p", {}, personWords(settling.patient));
  const values = await ask({
    title: title(),
    content: [person, effectWords(settling.effects[how]), h("p", { class: "hint" }, _("A settled case cannot be opened again."))].filter(Boolean),
    fields: [{ name: "reason", label: isNeeded ? _("Reason") : _("Reason (if there is something to say)"), kind: "area", required: isNeeded, max: MOST_REASON }],
    confirm: button(),
    kind: isNeeded && !settling.isReport ? "danger" : "primary",
  });
  return values && { ...wish, reason: values.reason };
}
