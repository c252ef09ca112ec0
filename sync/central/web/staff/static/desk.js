// The card desk: find a patient, and do for the record what reception does.

import { h } from "/page/dom.js";
import { _ } from "/page/words.js";
import { get, post } from "./api.js";
import { book, cancel, move } from "./desk_bookings.js";
import { during } from "./desk_calls.js";
import { bind, lost, unbind, unblock } from "./desk_cards.js";
import { merge } from "./desk_merge.js";
import { personView } from "./desk_person.js";
import { change, register, walkIn } from "./desk_register.js";
import { copyTicket } from "./desk_ticket.js";
import { awaitCard } from "./desk_wait.js";
import { born, faultOf } from "./desk_words.js";
import { key } from "./keys.js";
import { complain, hear } from "./say.js";
import { journeyWord } from "./states.js";

const at = (id) => document.getElementById(id);
const input = at("desk-text");
const list = at("desk-found").querySelector("ol");
const hint = at("desk-found").querySelector(".hint");
const article = at("desk-person");

let person = null; // the record on the screen
let asked = 0; // the number of the last search or record that was asked for: an earlier answer changes nothing
let isBusy = false; // one press at a time

// Finding.

async function find(text) {
  const wanted = text.trim();
  if (!wanted) return;
  const number = (asked += 1);
  const found = await during(post("/desk/find/", { q: wanted }));
  if (number !== asked) return;
  if (!found.ok) return complain(faultOf(found));
  const { people, more } = found.body;
  hint.hidden = people.length > 0 && !more;
  hint.textContent = people.length ? _("There are more. Add a birth date or another word.") : _("Nobody was found. Check the spelling, or register the patient.");
  list.replaceChildren(...people.map(foundRow));
  hear("said", people.length ? _("{n} found", { n: String(people.length) }) : hint.textContent);
  if (people.length === 1) await open(people[0].patient_id);
  else list.querySelector("button")?.focus();
}

function foundRow(each) {
  const detail = [born(each.birth_date), each.patient_id, ...each.numbers].join(" · ");
  const attributes = { type: "button", "data-patient": each.patient_id, onclick: () => open(each.patient_id) };
  return h("li", {}, h("button", attributes, h("strong", {}, each.name), h("span", { class: "hint" }, journeyWord(each.journey_state)), h("span", { class: "detail" }, detail)));
}

function step(by) {
  const buttons = [...list.querySelectorAll("button")];
  const place = buttons.indexOf(document.activeElement);
  buttons[Math.min(Math.max(place + by, 0), buttons.length - 1)]?.focus();
}

// The record.

async function open(patientId, { keepsFocus = false } = {}) {
  const number = (asked += 1);
  const found = await during(get(`/desk/patients/${encodeURIComponent(patientId)}/`));
  if (number !== asked) return;
  if (!found.ok) return complain(faultOf(found));
  person = found.body;
  article.hidden = false;
  const before = keepsFocus && document.activeElement?.dataset?.press;
  article.replaceChildren(...personView(person, presses).filter(Boolean));
  for (const button of list.querySelectorAll("button")) button.setAttribute("aria-current", String(button.dataset.patient === person.patient_id));
  (before ? article.querySelector(`[data-press="${before}"]`) : at("desk-name"))?.focus();
}

/** One press: what it does with the frame of now, and the record again after it. */
async function pressed(does) {
  if (isBusy) return;
  isBusy = true;
  let next;
  try {
    const frame = await during(get("/desk/"));
    if (!frame.ok) return complain(faultOf(frame));
    next = await does(frame.body);
  } finally {
    isBusy = false;
  }
  if (next || person) await open(next || person.patient_id, { keepsFocus: !next });
}

/** A press on a record is for the person who is on the screen at that moment, whoever is opened meanwhile. */
const onPerson = (does) => (about) => {
  const whom = person;
  return whom && pressed((frame) => does(frame, whom, about));
};

const presses = {
  walkIn: onPerson(walkIn),
  book: onPerson(book),
  bind: onPerson((frame, whom) => bind(frame, whom)),
  change: onPerson(change),
  merge: onPerson((_frame, whom) => merge(whom)),
  ticket: onPerson((_frame, _whom, entry) => copyTicket(entry)),
  move: onPerson((frame, _whom, booking) => move(frame, booking)),
  cancel: onPerson((_frame, _whom, booking) => cancel(booking)),
  replace: onPerson(bind),
  lost: onPerson((_frame, whom, card) => lost(whom, card)),
  unbind: onPerson((_frame, whom, card) => unbind(whom, card)),
  unblock: onPerson((_frame, whom, card) => unblock(whom, card)),
};

async function findByCard(frame) {
  const read = await awaitCard(frame, { title: _("Find by a card") });
  return read?.card.holder?.patient_id;
}

const registerOne = () => pressed((frame) => register(frame, input.value.trim()));

at("desk-find").addEventListener("submit", (event) => {
  event.preventDefault();
  find(input.value);
});
at("desk-card").addEventListener("click", () => pressed(findByCard));
at("desk-register").addEventListener("click", registerOne);
list.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    step(event.key === "ArrowDown" ? 1 : -1);
  }
});

key("/", _("To the search"), () => (input.focus(), input.select()));
key("r", _("Register a patient"), registerOne);
key("k", _("Find by a card"), () => pressed(findByCard));
key("l", _("Into a line"), presses.walkIn);
key("b", _("Book"), presses.book);
key("c", _("New card"), presses.bind);
key("e", _("Change details"), presses.change);
key("m", _("Merge records"), presses.merge);
key("t", _("Ticket copy"), () => {
  const entry = person?.entries.find((each) => each.current && each.live) ?? person?.entries.find((each) => each.live);
  if (entry) presses.ticket(entry);
});
input.focus();
document.getElementById("desk").dataset.ready = "true";
