// A patient's day at a glance: who it is, where they stand, their bookings and entries, and what happened.

import { h } from "/page/dom.js";
import { _, clock, language, ngettext } from "/page/words.js";
import { get } from "./api.js";
import { actionWord } from "./board_words.js";
import { bookingWord, entryWord, journeyWord, kindWord } from "./states.js";

/** The panel. It shows one patient, and asks again when the board says that something of them has changed. */
export class Day {
  #patient = "";
  #asked = 0;
  #opener = null;

  /** `titleOf` returns the name that staff have for an exam. A booking has the one that patients read. */
  constructor(titleOf) {
    this.titleOf = titleOf;
    this.element = document.getElementById("day");
    this.element.addEventListener("click", ({ target }) => target.closest(".close") && this.close());
  }

  /** Whose day is open; "" without one. */
  get patient() {
    return this.element.hidden ? "" : this.#patient;
  }

  async open(patientId) {
    if (this.element.hidden) this.#opener = document.activeElement;
    this.#patient = patientId;
    this.element.hidden = false;
    document.body.classList.add("with-day");
    this.element.replaceChildren(...frame(_("A patient's day"), [h("p", {}, _("Looking …"))]));
    this.element.querySelector(".close").focus();
    await this.#look();
  }

  /** Asks again by itself. What is shown stays until the answer is there. */
  refresh() {
    if (this.patient) this.#look({ unattended: true });
  }

  close() {
    if (this.element.hidden) return false;
    this.element.hidden = true;
    this.#patient = "";
    document.body.classList.remove("with-day");
    if (this.#opener?.isConnected) this.#opener.focus();
    return true;
  }

  async #look(how = {}) {
    const asked = (this.#asked += 1);
    const answer = await get(`/patients/${encodeURIComponent(this.#patient)}/day/`, {}, how);
    if (asked !== this.#asked || !this.patient) return;
    const hadFocus = this.element.contains(document.activeElement);
    const parts = answer.ok ? dayParts(answer.body, this.titleOf) : [h("p", { class: "notice bad" }, answer.error)];
    this.element.replaceChildren(...frame(answer.ok ? answer.body.person.name : _("A patient's day"), parts));
    if (hadFocus) this.element.querySelector(".close").focus({ preventScroll: true });
  }
}

function frame(title, parts) {
  const close = h("button", { type: "button", class: "close quiet", "aria-label": _("Close the day") }, "×");
  return [h("div", { class: "day-head" }, h("h2", { id: "day-title" }, title), close), ...parts];
}

function dayParts({ person, journey_state: journey, entries, appointments, timeline, cards, cases }, titleOf) {
  return [
    h("p", {}, [person.birth_date, person.patient_id, ...person.other_ids, languageWord(person)].filter(Boolean).join(" · ")),
    h("p", {}, h("span", { class: "badge" }, journeyWord(journey))),
    part(_("Entries"), entries.map(entryLine)),
    part(_("Bookings"), appointments.map((each) => bookingLine(each, titleOf))),
    part(_("What happened"), timeline.map(eventLine)),
    h("p", { class: "hint" }, [ngettext("{n} card", "{n} cards", cards), caseWords(cases)].filter(Boolean).join(" · ")),
  ].filter(Boolean);
}

function languageWord({ language: tag }) {
  return tag && new Intl.DisplayNames([language()], { type: "language" }).of(tag);
}

function caseWords({ length }) {
  return length > 0 && ngettext("{n} exception waits for staff", "{n} exceptions wait for staff", length);
}

function part(title, lines) {
  return lines.length > 0 && h("section", {}, h("h3", {}, title), h("ul", {}, lines));
}

function entryLine({ queue_number: number, exam_name: exam, room, state, people_ahead: ahead, note }) {
  const place = [exam, room].filter(Boolean).join(" · ");
  const rest = [entryWord(state), ahead > 0 && ngettext("{n} person ahead", "{n} people ahead", ahead), note].filter(Boolean);
  return h("li", {}, h("strong", {}, number), ` ${place}: ${rest.join(", ")}`);
}

function bookingLine({ scheduled_at: at, exam_id: id, exam_name: name, status }, titleOf) {
  const exam = titleOf(id) ?? name;
  return h("li", {}, `${clock(at) || _("Any time today")} ${exam}: ${bookingWord(status)}`);
}

function eventLine({ action, entries, by, by_kind: kind, where, happened_at: at }) {
  const who = [by, where].filter((each, place, all) => each && all.indexOf(each) === place).join(", ");
  const what = entries.map(changeWords).join("; ");
  return h("li", {}, h("time", { datetime: at }, clock(at)), ` ${actionWord(action, kind)} `, h("small", {}, [what, who].filter(Boolean).join(" – ")));
}

function changeWords({ queue_number: number, exam_name: exam, previous, new: next, reason, priority_kind: kind }) {
  const change = previous === next ? "" : entryWord(next);
  const why = reason && reason !== actionWord(reason) ? "" : reason; // a press names itself as the reason
  return [`${number} ${exam}`, [change, kind && kindWord(kind), why].filter(Boolean).join(", ")].filter(Boolean).join(": ");
}
