// Registering a patient, changing a record, and putting a patient into a line.

import { h } from "/page/dom.js";
import { _ } from "/page/words.js";
import { post } from "./api.js";
import { during, perform } from "./desk_calls.js";
import { born, faultOf, languageName } from "./desk_words.js";
import { ask } from "./dialog.js";
import { placeOf } from "./places.js";
import { complain } from "./say.js";

const ONLY_REGISTER = "-";
const NOBODY = "-";

/** Registers a patient. Records that may be of the same person come first. Returns the patient's id; null where nothing was done. */
export async function register(frame, typed) {
  let values = { name: /^[^\d]+$/.test(typed) ? typed : "", birth_date: "", patient_id: "", language: frame.languages[0], line: ONLY_REGISTER };
  for (;;) {
    values = await askPerson(frame, values);
    if (values === null) return null;
    const seen = await lookAtDoubles(values);
    if (seen === null) continue;
    if (seen.open) return seen.open;
    const found = await perform("/desk/patients/", bodyOf(values, seen.ids), { done: ({ in_line: place }) => doneWords(values.name, place) });
    if (found) return found.patient_id;
  }
}

function doneWords(name, place) {
  if (!place) return _("{name} is registered.", { name });
  return _("{name} is registered and waits with the number {number}: {exam}.", { name, number: place.queue_number, exam: place.exam_name });
}

function bodyOf(values, seen) {
  const { name, birth_date: date, patient_id: id, language, line } = values;
  const walkIn = line !== ONLY_REGISTER;
  return { name, birth_date: date || null, patient_id: id || null, language, seen_doubles: seen, walk_in: walkIn, exam_id: walkIn ? line : null };
}

function askPerson(frame, values) {
  const lines = [[ONLY_REGISTER, _("Not now: only register")], ...examChoices(frame)];
  return ask({
    title: _("Register a patient"),
    fields: [
      { name: "name", label: _("Name"), value: values.name, required: true, max: 128 },
      { name: "birth_date", label: _("Birth date"), kind: "date", value: values.birth_date },
      { name: "patient_id", label: _("Hospital number"), value: values.patient_id, max: 128, hint: _("Leave it empty where there is none yet. The centre makes a number of its own.") },
      { name: "language", label: _("Language"), kind: "choice", value: values.language, choices: languageChoices(frame) },
      { name: "line", label: _("Into a line now"), kind: "choice", value: values.line, choices: lines },
    ],
    confirm: _("Go on"),
  });
}

/** Shows the records that may be of the person. Returns their ids where it is another person, or the record to open. */
async function lookAtDoubles({ name, birth_date: date, patient_id: id }) {
  const found = await during(post("/desk/doubles/", { name, birth_date: date || null, patient_id: id || null }));
  if (!found.ok) {
    complain(faultOf(found));
    return null;
  }
  const { people } = found.body;
  if (!people.length) return { ids: [] };
  const choices = people.map((each) => [each.patient_id, `${each.name} · ${born(each.birth_date)} · ${each.patient_id}`]);
  const chosen = await ask({
    title: _("Is it one of these?"),
    text: _("These records may be of the same person. Two records of one person lead to mistakes."),
    fields: [{ name: "who", label: _("Records"), kind: "radio", choices: [...choices, [NOBODY, _("None of them: register a new patient")]], required: true }],
    confirm: _("Go on"),
  });
  if (chosen === null) return null;
  return chosen.who === NOBODY ? { ids: people.map((each) => each.patient_id) } : { open: chosen.who };
}

/** Changes name, birth date or language. */
export async function change(frame, person) {
  const values = await ask({
    title: _("Change details"),
    content: [h("p", { class: "notice mild" }, _("The hospital's system has the last word: its next document about this patient replaces what you change here."))],
    fields: [
      { name: "name", label: _("Name"), value: person.name, required: true, max: 128 },
      { name: "birth_date", label: _("Birth date"), kind: "date", value: person.birth_date ?? "" },
      { name: "language", label: _("Language"), kind: "choice", value: person.language, choices: languageChoices(frame, person.language) },
    ],
    confirm: _("Save"),
  });
  if (values === null) return;
  await perform(`/desk/patients/${encodeURIComponent(person.patient_id)}/change/`, values, { done: () => _("The details are saved.") });
}

/** Puts a patient into a line. */
export async function walkIn(frame, person) {
  const values = await ask({
    title: _("Into a line: {name}", { name: person.name }),
    text: _("The patient is marked as arrived and gets a number at once."),
    fields: [{ name: "exam_id", label: _("Line"), kind: "choice", choices: examChoices(frame) }],
    confirm: _("Give a number"),
  });
  if (values === null) return;
  await perform(`/desk/patients/${encodeURIComponent(person.patient_id)}/walk-in/`, values, {
    done: (place) => _("{name} waits with the number {number}: {exam}.", { name: person.name, number: place.queue_number, exam: place.exam_name }),
  });
}

/** The exams as choices, the desk first. */
export function examChoices(frame) {
  const inOrder = [...frame.exams].sort((one, other) => Number(other.is_desk) - Number(one.is_desk));
  return inOrder.map(({ exam_id: id, title, room }) => [id, room ? `${title} · ${placeOf(room)}` : title]);
}

function languageChoices(frame, present) {
  const tags = new Set([...frame.languages, ...(present ? [present] : [])]);
  return [...tags].map((tag) => [tag, languageName(tag)]);
}
