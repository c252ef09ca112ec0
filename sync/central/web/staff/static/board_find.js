// The find box: by queue number, name, patient id or card. What is found is asked of the centre, since the board shows some
// exams alone.

import { h } from "/page/dom.js";
import { _, clock } from "/page/words.js";
import { post } from "./api.js";
import { hear } from "./say.js";
import { entryWord, journeyWord } from "./states.js";

// A reader that types writes the id of a card: a technology and hex, or hex alone.
const CARD = /^(?:[a-z0-9]+:)?[0-9a-f]{2}(?:[:\s-]?[0-9a-f]{2}){3,}$/i;

/** The find box. `choose` gets the id of the patient who was chosen, `titleOf` returns the name that staff have for an exam. */
export class Find {
  #asked = 0;

  constructor(choose, titleOf) {
    Object.assign(this, { choose, titleOf });
    this.form = document.getElementById("find");
    this.text = document.getElementById("find-text");
    this.found = document.getElementById("found");
    this.form.addEventListener("submit", (event) => (event.preventDefault(), this.#look()));
    this.text.addEventListener("input", () => this.text.value || this.close());
    for (const element of [this.form, this.found]) element.addEventListener("keydown", (event) => this.#key(event));
    this.found.addEventListener("click", ({ target }) => this.#choose(target.closest("button")));
  }

  /** Puts the cursor into the box. */
  focus() {
    this.text.focus();
    this.text.select();
  }

  close() {
    this.#asked += 1;
    this.found.hidden = true;
    this.found.replaceChildren();
  }

  async #look() {
    const text = this.text.value.trim();
    if (!text) return;
    const asked = (this.#asked += 1);
    this.#show([h("p", {}, _("Looking …"))]);
    const answer = await lookFor(text);
    if (asked !== this.#asked) return;
    if (!answer.ok) return this.#show([h("p", { class: "notice bad" }, answer.error)]);
    const { patients, more } = answer.body;
    const words = foundWords(patients.length, more, text);
    hear("said", words);
    this.#show([h("p", {}, words), h("ul", {}, patients.map((each) => resultOf(each, this.titleOf)))]);
    this.found.querySelector("button")?.focus();
  }

  #show(children) {
    this.found.hidden = false;
    this.found.replaceChildren(...children);
  }

  #choose(button) {
    if (!button) return;
    const { patient } = button.dataset;
    this.close();
    this.text.value = "";
    this.choose(patient);
  }

  #key(event) {
    const buttons = [...this.found.querySelectorAll("button")];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape" && !this.found.hidden) {
      this.close();
      this.text.focus();
    } else if (step && buttons.length) {
      const to = buttons.indexOf(document.activeElement) + step;
      (buttons[to] ?? this.text).focus();
    } else if (isLetter(event) && buttons.includes(event.target)) {
      event.stopPropagation(); // it would act on the chosen row, which is another patient
      return;
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

function isLetter({ key, ctrlKey, metaKey, altKey }) {
  return key.length === 1 && !"/?".includes(key) && !ctrlKey && !metaKey && !altKey;
}

// A patient's id may look like a card. So a card is asked for where no patient was found.
async function lookFor(text) {
  const answer = await post("/board/find/", { q: text });
  const isCard = CARD.test(text) && answer.ok && answer.body.patients.length === 0;
  return isCard ? post("/board/find/", { tag_id: text }) : answer;
}

function foundWords(many, hasMore, text) {
  if (many === 0) return _("Nobody was found: {text}", { text });
  return hasMore ? _("{n} found, and more: a longer text finds fewer", { n: many }) : _("{n} found", { n: many });
}

function resultOf({ patient_id: id, name, birth_date: birth, journey_state: journey, entries = [], appointments = [] }, titleOf) {
  const numbers = entries.map(({ queue_number: number, exam_name: exam, state }) => `${number} ${exam}: ${entryWord(state)}`);
  const bookings = entries.length ? [] : appointments.map((each) => bookingWords(each, titleOf));
  const rest = [...numbers, ...bookings].join(" · ") || journeyWord(journey);
  return h("li", {}, h("button", { type: "button", class: "quiet", "data-patient": id }, h("strong", {}, name), h("span", {}, [birth, id].filter(Boolean).join(" · ")), h("span", {}, rest)));
}

function bookingWords({ exam_id: id, exam_name: name, scheduled_at: at }, titleOf) {
  return _("booked {time} {exam}", { time: clock(at), exam: titleOf(id) ?? name });
}
