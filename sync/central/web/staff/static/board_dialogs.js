// What is asked before a press is sent: a reason, another exam, a kind of priority, a note, the exams and the room.

import { _ } from "/page/words.js";
import { labelOf } from "./board_words.js";
import { nameOf } from "./board_row.js";
import { ask } from "./dialog.js";
import { kindWord } from "./states.js";

const MOST = { reason: 200, note: 300, room: 40 };

/** Asks for the reason of a press. Returns its values; null where the person changes their mind. */
export function askReason(row, offer) {
  return ask({
    title: `${labelOf(offer)}: ${nameOf(row)}`,
    fields: [{ name: "reason", label: _("Reason"), value: "", max: MOST.reason, required: true }],
    confirm: labelOf(offer),
    leave: _("Go back"), // a second "Cancel" would be taken for the press itself
    kind: "danger",
  });
}

/** Asks to which exam a patient goes, and to which place of its line. */
export function askMove(row, exams) {
  const others = exams.filter(({ exam_id: id }) => id !== row.exam_id).map((exam) => [exam.exam_id, placeOf(exam)]);
  return ask({
    title: _("Move {who} to another exam", { who: nameOf(row) }),
    text: _("The number stays the same. The patient's screen says the new place."),
    fields: [
      { name: "exam_id", label: _("Exam"), kind: "choice", choices: others, value: others[0]?.[0], required: true },
      {
        name: "place",
        label: _("Place in the new line"),
        kind: "radio",
        value: "keep",
        choices: [["keep", _("By the time of arrival: the wait so far counts")], ["end", _("At the end of the line")]],
      },
      { name: "reason", label: _("Reason"), max: MOST.reason },
    ],
    confirm: _("Move"),
  });
}

/** Asks for the priority of a patient. `kinds` are {kind, needs_reason} in the order of their weight. */
export function askPriority(row, kinds) {
  const choices = [...kinds.map(({ kind }) => [kind, kindWord(kind)]), ["", _("No priority")]];
  return ask({
    title: _("Priority of {who}", { who: nameOf(row) }),
    fields: [
      { name: "kind", label: _("Priority"), kind: "radio", value: row.priority_kind, choices },
      { name: "reason", label: _("Reason"), value: row.priority_reason, max: MOST.reason },
    ],
    confirm: _("Save"),
    check: ({ kind, reason }) => isWithoutReason(kinds, kind, reason) && _("Please give a reason for this priority."),
  });
}

/** Asks for the note of an entry. */
export function askNote(row) {
  return ask({
    title: _("Note for {who}", { who: nameOf(row) }),
    text: _("Only staff see it. It is deleted with today's entry."),
    fields: [{ name: "text", label: _("Note"), kind: "area", value: row.note, max: MOST.note }],
    confirm: _("Save"),
  });
}

/** Asks which exams this screen shows, and in which room it stands. Returns `{exams, room}` or null. */
export async function askChoice(exams, choice, rooms) {
  const boxes = exams.map((exam) => ({
    name: `exam ${exam.exam_id}`,
    label: placeOf(exam),
    kind: "check",
    value: choice.exams.includes(exam.exam_id),
  }));
  const idsIn = (values) => exams.map(({ exam_id: id }) => id).filter((id) => values[`exam ${id}`]);
  const values = await ask({
    title: _("Exams and room of this screen"),
    text: rooms.length ? _("Rooms of these exams: {rooms}", { rooms: rooms.join(", ") }) : "",
    fields: [...boxes, { name: "room", label: _("My room"), value: choice.room, max: MOST.room, hint: _("Patients whom you call are sent to this room. Empty: to the room of the exam.") }],
    confirm: _("Show"),
    check: (given) => idsIn(given).length === 0 && _("Please choose at least one exam."),
  });
  return values && { exams: idsIn(values), room: values.room };
}

function placeOf({ title, room }) {
  return [title, room].filter(Boolean).join(" · ");
}

function isWithoutReason(kinds, kind, reason) {
  return kinds.some((each) => each.kind === kind && each.needs_reason) && !reason;
}
