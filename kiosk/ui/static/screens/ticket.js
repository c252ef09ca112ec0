// The ticket: the queue number, the exam, the room, the people ahead and the wait.

import { h, icon } from "../dom.js";
import { _, ngettext } from "../words.js";
import { LINES } from "./states.js";

/** Makes the ticket of the current queue entry. */
export function ticket(screen) {
  const line = screen.ticket;
  const word = !line.called && LINES[line.state]; // that one is called is the headline
  return h(
    "section",
    { class: `ticket ${line.state}`, "aria-label": _("Queue number") },
    h(
      "div",
      { class: "stub" },
      h("p", { class: "number" }, line.queue_number),
      also(line),
      word && h("p", { class: "state" }, _(word)),
    ),
    h(
      "div",
      { class: "body" },
      h(
        "dl",
        {},
        fact("exam", _("For"), line.exam_name),
        line.room && fact("place", _("Where"), line.room),
        ahead(line),
        wait(line),
      ),
      kept(screen),
    ),
  );
}

/** Makes the list of the patient's other queue entries. */
export function otherLines(screen) {
  const others = screen.journey.queue_details.filter((line) => line.queue_id !== screen.ticket.queue_id);
  if (!others.length) return null;
  return h(
    "ul",
    { class: "others", "aria-label": _("Your other numbers") },
    others.map((line) =>
      h(
        "li",
        {},
        h("strong", {}, line.queue_number),
        also(line),
        h("span", {}, line.exam_name),
        LINES[line.state] && h("span", { class: "status" }, _(LINES[line.state])),
      ),
    ),
  );
}

// Kiosks that were offline printed these numbers for the same entry; the patient's slip may have any of them.
function also({ label_aliases: numbers }) {
  return numbers.length > 0 && h("p", { class: "also" }, _("also {numbers}", { numbers: numbers.join(", ") }));
}

function fact(picture, label, value) {
  return h("div", { class: "fact" }, h("dt", {}, icon(picture), h("span", { class: "unseen" }, label)), h("dd", {}, value));
}

function ahead(line) {
  if (line.people_ahead === null) return null;
  const words = line.people_ahead === 0 ? _("You are next") : ngettext("{n} person ahead", "{n} people ahead", line.people_ahead);
  return fact("people", _("Ahead"), words);
}

function wait(line) {
  if (line.estimated_wait_time === null || line.people_ahead === 0) return null;
  return fact("clock", _("Wait"), ngettext("About {n} min", "About {n} min", line.estimated_wait_time));
}

function kept(screen) {
  if (screen.confirmed) {
    return h("p", { class: "kept confirmed" }, icon("check"), h("span", {}, _("Confirmed")));
  }
  const words = screen.central.online ? _("Saved, being confirmed") : _("Saved here");
  return h("p", { class: "kept saved" }, icon("saved"), h("span", {}, words));
}
