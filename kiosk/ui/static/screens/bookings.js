// Today's appointments: time, exam, room, status.

import { h, icon } from "/page/dom.js";
import { _, clock, said } from "/page/words.js";

/** Makes the list of the day's appointments, in their order; nothing where there are none. */
export function bookings(appointments) {
  if (!appointments.length) return null;
  return h(
    "section",
    { class: "bookings", "aria-labelledby": "bookings-title" },
    h("h2", { id: "bookings-title" }, icon("calendar"), h("span", {}, _("Today's appointments"))),
    h("ul", {}, appointments.map(booking)),
  );
}

function booking({ scheduled_at, exam_name, room, word, over, any_time }) {
  return h(
    "li",
    { class: over ? "over" : "" },
    h("time", { datetime: scheduled_at }, any_time ? said(any_time) : clock(scheduled_at)),
    h(
      "div",
      { class: "what" },
      h("span", { class: "exam" }, exam_name),
      room && h("span", { class: "room" }, icon("place"), h("span", {}, room)),
      word && h("span", { class: "status" }, said(word)),
    ),
  );
}
