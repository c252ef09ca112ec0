// A patient's day at a glance: who it is, where they stand, their bookings and entries, and what happened.

import { h } from "/page/dom.js";
import { _, clock, ngettext } from "/page/words.js";
import { get } from "./api.js";
import { actionWord, bookingWord, journeyWord, stateWord } from "./board_words.js";

/** The panel. It shows one patient, and asks again when the board says that something of them has changed. */
export class Day {
  #patient = "";
  #asked = 0;
  #opener = null;

  constructor() {
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

  /** Asks again. What is shown stays until the answer is there. */
  refresh() {
    if (this.patient) this.#look();
  }

  close() {
    if (this.element.hidden) return false;
    this.element.hidden = true;
    this.#patient = "";
    document.body.classList.remove("with-day");
    if (this.#opener?.isConnected) this.#opener.focus();
    return true;
  }

  async #look() {
    const asked = (this.#asked += 1);
    const answer = await get(`/patients/${encodeURIComponent(this.#patient)}/day/`);
    if (asked !== this.#asked || !this.patient) return;
    const hadFocus = this.element.contains(document.activeElement);
    const parts = answer.ok ? dayParts(answer.body) : [h("p", { class: "notice bad" }, answer.error)];
    this.element.replaceChildren(...frame(answer.ok ? answer.body.name : _("A patient's day"), parts));
    if (hadFocus) this.element.querySelector(".close").focus({ preventScroll: true });
  }
}

function frame(title, parts) {
  const close = h("button", { type: "button", class: "close quiet", "aria-label": _("Close the day") }, "×");
  return [h("div", { class: "day-head" }, h("h2", { id: "day-title" }, title), close), ...parts];
}

function dayParts(day) {
  return [
    h("p", {}, [day.birth_date, day.patient_id].filter(Boolean).join(" · ")),
    h("p", {}, h("span", { class: "badge" }, journeyWord(day.journey_state))),
    part(_("Entries"), day.entries.map(entryLine)),
    part(_("Bookings"), day.appointments.map(bookingLine)),
    part(_("What happened"), day.timeline.map(eventLine)),
    h("p", { class: "hint" }, ngettext("{n} card", "{n} cards", day.cards)),
  ].filter(Boolean);
}

function part(title, lines) {
  return lines.length > 0 && h("section", {}, h("h3", {}, title), h("ul", {}, lines));
}

function entryLine({ queue_number: number, exam_name: exam, room, state }) {
  return h("li", {}, h("strong", {}, number), ` ${[exam, room].filter(Boolean).join(" · ")}: ${stateWord(state)}`);
}

function bookingLine({ scheduled_at: at, exam_name: exam, status }) {
  return h("li", {}, `${clock(at) || _("any time")} ${exam}: ${bookingWord(status)}`);
}

function eventLine({ at, action, state, by, where }) {
  const who = [by, where].filter(Boolean).join(", ");
  return h("li", {}, h("time", {}, clock(at)), ` ${actionWord(action) || stateWord(state)}`, who && h("small", {}, ` ${who}`));
}
