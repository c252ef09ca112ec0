// What a settlement would do, in words, from what the centre has tried and undone.

import { h } from "/page/dom.js";
import { _, ngettext } from "/page/words.js";
import { stepWord } from "./inbox_names.js";
import { titleOf } from "./inbox_words.js";
import { bookingWord, entryWord, journeyWord } from "./states.js";

const REFUSALS = {
  not_applicable: () => _("This is not possible where the patient stands now."),
  card_blocked: () => _("The card was reported lost and cannot be bound. Assign the case without the card."),
  unknown_patient: () => _("There is no such patient."),
  not_allowed: () => _("The case is settled already."),
};

/** The list of what would change; one sentence where it is not possible. */
export function effectWords(foreseen) {
  if (foreseen.refusal) return h("p", { class: "refusal" }, refusalWords(foreseen));
  const lines = [...foreseen.actions.map(actionLine), ...foreseen.patients.map(patientLine), ...otherLines(foreseen)];
  return h("ul", { class: "effect" }, (lines.length ? lines : [_("Only the report is closed. Nothing else changes.")]).map((each) => h("li", {}, each)));
}

function refusalWords({ refusal, how }) {
  if (refusal.code === "not_applicable" && refusal.error.includes("no patient of the action")) return _("The centre knows no patient of this card. Assign the case to the patient instead.");
  if (refusal.code === "not_applicable" && how === "reassign" && refusal.error.includes("card")) return _("The card cannot be bound with this case. Assign the case without it.");
  return REFUSALS[refusal.code]?.() ?? refusal.error;
}

function actionLine({ action_type: type, verdict, code, waits }) {
  const step = stepWord(type);
  if (waits) return _("{step}: waits for staff again ({why})", { step, why: titleOf(code) });
  if (verdict === "applied") return code === "late" ? _("{step}: counts for the day on which it was done", { step }) : _("{step}: counts", { step });
  if (verdict === "merged") return _("{step}: had been done already, and stays so", { step });
  return _("{step}: does not count", { step });
}

function patientLine({ name, before, after }) {
  const changes = [...journeyChange(before, after), ...entryChanges(before, after), ...bookingChanges(before, after)];
  const head = h("strong", {}, name);
  if (changes.length < 2) return [head, ": ", changes[0] ?? _("nothing changes today")];
  return [head, h("ul", {}, changes.map((each) => h("li", {}, each)))];
}

function journeyChange(before, after) {
  return before.journey_state === after.journey_state ? [] : [`${journeyWord(before.journey_state)} → ${journeyWord(after.journey_state)}`];
}

function entryChanges(before, after) {
  const known = new Map(before.queue_details.map((each) => [each.queue_id, each]));
  const gone = new Set(known.keys());
  const found = [];
  for (const each of after.queue_details) {
    const was = known.get(each.queue_id);
    gone.delete(each.queue_id);
    const place = { number: each.queue_number, exam: each.exam_name };
    if (!was) found.push(each.people_ahead ? ngettext("in the line of {exam} with number {number}, {n} person ahead", "in the line of {exam} with number {number}, {n} people ahead", each.people_ahead, place) : _("in the line of {exam} with number {number}", place));
    else if (was.state !== each.state) found.push(`${each.queue_number}: ${entryWord(was.state)} → ${entryWord(each.state)}`);
    for (const alias of each.label_aliases ?? []) {
      if (!was?.label_aliases?.includes(alias) && was) found.push(_("the ticket {alias} counts as number {number}", { alias, number: each.queue_number }));
    }
  }
  for (const id of gone) found.push(_("no longer in the line with number {number}", { number: known.get(id).queue_number }));
  return found;
}

function bookingChanges(before, after) {
  const known = new Map(before.appointments.map((each) => [each.appointment_id, each]));
  return after.appointments
    .filter((each) => known.get(each.appointment_id)?.status !== each.status)
    .map((each) => _("Booking {exam}: {before} → {after}", { exam: each.exam_name, before: bookingWord(known.get(each.appointment_id)?.status ?? ""), after: bookingWord(each.status) }));
}

function otherLines({ other_cases: others, binds, card_of: cardOf, unread, patients, actions }) {
  return [
    binds && _("The card becomes the patient's."),
    binds && cardOf && _("{name} no longer has the card.", { name: cardOf.name }),
    others.length > 0 && ngettext("{n} more case of this card is settled with it.", "{n} more cases of this card are settled with it.", others.length),
    unread > 0 && ngettext("{n} record is put away. Nothing else changes.", "{n} records are put away. Nothing else changes.", unread),
    actions.length > 0 && patients.length === 0 && _("No patient's journey changes."),
    actions.length > 0 && _("The kiosk learns it with its next call."),
  ].filter(Boolean);
}
