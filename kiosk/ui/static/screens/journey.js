// The screen of a known patient: what the daemon has chosen to say, the one next step, the queue number.

import { button, h, icon } from "/page/dom.js";
import { _, clock, said } from "/page/words.js";
import { bookings } from "./bookings.js";
import { isAtTheRoom, otherLines, ticket } from "./ticket.js";

const PLACES = { exit: "leave", payment: "pay" };
const UNBROKEN = ["name", "number", "numbers", "next_number"];

/** Makes the screen of a patient. `press` does the next action; `busy`: it is under way. */
export function journey({ screen, busy, trouble, press }) {
  const { journey: view, patient, said: words } = screen;
  return h(
    "section",
    { class: `screen journey ${screen.ticket ? "numbered" : "greeting"}` },
    h(
      "div",
      { class: "heading" },
      patient.masked_name && !words.title.values.name && h("p", { class: "whose" }, _("For {name}", { name: patient.masked_name })),
      h("h1", { tabindex: -1, "data-name": "headline" }, unbroken(words.title)),
      !saysToWait(words) && h("p", { class: "lead" }, unbroken(words.lead)),
      words.notes.map(note),
    ),
    words.where && !(screen.ticket && isAtTheRoom(words)) && where(words),
    trouble && alarm(trouble),
    screen.ticket ? ticket(screen) : bookings(view.appointments),
    otherLines(screen),
    screen.next_action && next({ screen, busy, press }),
  );
}

/** Makes the one big button. It is disabled while its action is under way, so that a second press does nothing. */
export function next({ screen, busy, press }) {
  const { label, icon: picture } = screen.button;
  return button("next", "next", busy ? "clock" : picture, busy ? _("One moment, please") : said(label), press, {
    disabled: busy,
    "data-stay": screen.stay,
    "data-offer": screen.offer,
    "data-action": screen.next_action,
    "data-patient": screen.patient.patient_id,
    "aria-busy": busy ? "true" : false,
  });
}

/** Says what went wrong with a press, and what to do about it. */
export function alarm(text) {
  return h("p", { class: "note bad", role: "alert" }, icon("warn"), h("span", {}, text));
}

// A masked name and a queue number are never broken into two lines.
function unbroken({ values, ...text }) {
  const mark = ([name, value]) => [name, UNBROKEN.includes(name) ? `\0${value}\0` : value];
  const parts = said({ ...text, values: Object.fromEntries(Object.entries(values).map(mark)) }).split("\0");
  return parts.map((part, index) => (index % 2 ? h("span", { class: "unbroken" }, part) : part));
}

// The banner then has the next step, and there is little room below it.
function saysToWait({ banner, place }) {
  return banner && place === "front";
}

function where({ place, where: text }) {
  return h("p", { class: "goto" }, icon(PLACES[place] ?? "place"), h("span", {}, said(text)));
}

function note({ kind, text, icon: picture, tone }) {
  return h("p", { class: `note ${tone}`, "data-kind": kind }, icon(picture), h("span", {}, unbroken(text)));
}

/** Returns what the banner says of a centre that does not answer: that the person may go, and how old the data is. */
export function apart(screen) {
  if (screen.central.online || !screen.said) return [];
  const time = screen.central.as_of && clock(screen.central.as_of);
  return [screen.said.banner && said(screen.said.banner), time && _("As of {time}", { time })];
}
