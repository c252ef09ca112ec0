// The screen of a known patient: the state, the one next step, the queue number.

import { button, h, icon } from "../dom.js";
import { _, clock } from "../words.js";
import { bookings } from "./bookings.js";
import { ACTIONS, ANY_ACTION, ANY_STATE, NOTICES, STATES } from "./states.js";
import { otherLines, ticket } from "./ticket.js";

/** Makes the screen of a patient. `press` does the next action; `busy`: it is under way. */
export function journey({ screen, busy, trouble, press }) {
  const { journey: view, patient, notice } = screen;
  const noticeWords = NOTICES[notice];
  const stateWords = STATES[view.journey_state] ?? ANY_STATE;
  const values = { name: patient.masked_name };
  const { title, anonymous } = noticeWords?.title ? noticeWords : stateWords;
  return h(
    "section",
    { class: `screen journey ${screen.ticket ? "numbered" : "greeting"}` },
    h(
      "div",
      { class: "heading" },
      patient.masked_name && !anonymous && h("p", { class: "whose" }, _("For {name}", values)),
      h("h1", { tabindex: -1, "data-name": "headline" }, patient.masked_name || !anonymous ? withName(title, patient.masked_name) : _(anonymous)),
      // There is room for one sentence, and a note says more than the usual one.
      noticeWords && !noticeWords.title ? note(noticeWords) : h("p", { class: "lead" }, lead(screen, noticeWords, stateWords)),
    ),
    notice === "see_desk" && !screen.ticket && where(screen.kiosk.desk),
    trouble && alarm(trouble),
    screen.ticket ? ticket(screen) : bookings(view.appointments),
    screen.ticket && otherLines(screen),
    screen.next_action && next({ screen, busy, press }),
  );
}

/** Makes the one big button. It is disabled while its action is under way, so that a second press does nothing. */
export function next({ screen, busy, press }) {
  const action = ACTIONS[screen.next_action] ?? ANY_ACTION;
  return button("next", "next", busy ? "clock" : action.icon, busy ? _("One moment, please") : _(action.label), press, {
    disabled: busy,
    "aria-busy": busy ? "true" : false,
  });
}

/** Says what went wrong with a press, and what to do about it. */
export function alarm(text) {
  return h("p", { class: "note bad", role: "alert" }, icon("warn"), h("span", {}, text));
}

// A masked name is never broken into two lines.
function withName(title, name) {
  const [before, after] = _(title, { name: "\n" }).split("\n");
  return after === undefined ? before : [before, h("span", { class: "named" }, name), after];
}

function where(desk) {
  return h("p", { class: "goto" }, icon("place"), h("span", {}, desk || _("At the check-in desk")));
}

function note(noticeWords) {
  return h("p", { class: `note ${noticeWords.tone}` }, icon(noticeWords.icon), h("span", {}, _(noticeWords.text)));
}

function lead(screen, noticeWords, stateWords) {
  const room = screen.ticket?.called && screen.ticket.room;
  if (room) return _("Please go to {room}", { room });
  if (screen.settling && !screen.ticket) return _("One moment, please");
  return _(noticeWords?.title ? noticeWords.text : stateWords.lead);
}

/** Returns the words for a centre that does not answer; null where it does. */
export function apart(screen) {
  if (screen.central.online || screen.screen !== "journey") return null;
  const words = screen.ticket
    ? _("Saved here, your number is valid. No need to tap again.")
    : _("Saved here, and sent on later. No need to tap again.");
  const asOf = screen.central.as_of && clock(screen.central.as_of);
  return { words, asOf: asOf ? _("As of {time}", { time: asOf }) : null };
}
