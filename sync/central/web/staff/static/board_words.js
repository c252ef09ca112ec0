// The words of the board for presses and for what happened. A name that is not here, which a site has added, is shown as it is.

import { N_, _ } from "/page/words.js";
import { entryWord, wordIn } from "./states.js";

// By the kind and the name of a press: the button, its key, and what is said when it is done.
const PRESSES = {
  "act call_patient": { label: N_("Call"), key: "c", done: N_("{who}: called.") },
  "act start_exam": { label: N_("Start"), key: "s", done: N_("{who}: started.") },
  "act complete_exam": { label: N_("Finish"), key: "f", done: N_("{who}: finished.") },
  "act mark_no_show": { label: N_("Did not come"), key: "m", done: N_("{who}: marked as not come.") },
  "act cancel_appointment": { label: N_("Cancel the exam"), key: "x", done: N_("{who}: the exam is cancelled.") },
  "change waiting": { label: N_("Back to the line"), key: "b", done: N_("{who}: back in the line.") },
  "change delayed": { label: N_("Delay"), key: "l", done: N_("{who}: delayed.") },
  "again again": { label: N_("Call again"), key: "a", done: N_("{who}: called again.") },
  "move move": { label: N_("Move to another exam"), key: "v", done: N_("{who}: moved to {exam}.") },
  "priority priority": { label: N_("Priority"), key: "p", done: N_("{who}: priority changed.") },
  "note note": { label: N_("Note"), key: "t", done: N_("{who}: note saved.") },
  "next next": { label: N_("Call next"), key: "n", done: N_("{who}: called.") },
  "undo undo": { label: N_("Undo"), key: "u", done: N_("{who}: taken back.") },
};

const HAPPENED = {
  scan_nfc: N_("Held the card to a kiosk"),
  register: N_("Registered"),
  confirm_arrival: N_("Confirmed the arrival"),
  enter_exam_room: N_("Went in"),
  call_patient: N_("Patient called"),
  start_exam: N_("Exam started"),
  complete_exam: N_("Exam finished"),
  mark_no_show: N_("Did not come"),
  cancel_appointment: N_("Exam cancelled"),
  make_payment: N_("Paid"),
  leave_hospital: N_("Left the hospital"),
  queue_sync: N_("Journey follows the line"),
  close_day: N_("Day ended"),
  change_entry: N_("State changed by staff"),
  correct_journey: N_("Journey corrected by staff"),
  move_booking: N_("Booking changed by the hospital"),
  take_back: N_("Taken back: done at a kiosk"),
  undo_press: N_("Undone"),
  call_next: N_("Patient called"),
  call_again: N_("Called again"),
  move_entry: N_("Moved to another line"),
  set_priority: N_("Priority changed"),
  set_note: N_("Note written"),
};

/** The text on the button of a press. */
export function labelOf({ kind, name }) {
  const known = PRESSES[`${kind} ${name}`];
  if (known) return _(known.label);
  return kind === "change" ? _("Set to: {state}", { state: entryWord(name) }) : name;
}

/** The key of a press; "" without one. */
export function keyOf({ kind, name }) {
  return PRESSES[`${kind} ${name}`]?.key ?? "";
}

/** What is said when a press is done. `who` is the patient, `exam` where a move leads. */
export function doneWords({ kind, name }, who, exam) {
  const known = PRESSES[`${kind} ${name}`];
  return known ? _(known.done, { who, exam }) : _("{who}: done.", { who });
}

/** The keys of all presses, as [kind, name] by key. */
export const KEYS = new Map(Object.entries(PRESSES).map(([press, { key }]) => [key, press.split(" ")]));

/** The words for what happened: the name of an action of patients or staff. Staff who receive a patient hold no card to a kiosk. */
export const actionWord = (action, by = "") => (action === "scan_nfc" && by === "staff" ? _("Received by staff") : wordIn(HAPPENED, action));
