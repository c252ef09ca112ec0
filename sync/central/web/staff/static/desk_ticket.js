// A copy of a queue ticket, to be seen and printed. It has the number that the patient has already.

import { drawing, h } from "/page/dom.js";
import { _, ngettext } from "/page/words.js";
import { post } from "./api.js";
import { during } from "./desk_calls.js";
import { faultOf } from "./desk_words.js";
import { ask } from "./dialog.js";
import { placeOf } from "./places.js";
import { complain } from "./say.js";
import { clock, dayAndTime } from "./time.js";

const sheet = document.getElementById("desk-ticket");

/** Shows a copy of the ticket of an entry, and prints it. */
export async function copyTicket(entry) {
  const found = await during(post("/desk/tickets/", { queue_id: entry.queue_id }));
  if (!found.ok) {
    complain(faultOf(found));
    return;
  }
  const values = await ask({ title: _("Ticket copy"), content: [slip(found.body)], confirm: _("Print") });
  if (values === null) return;
  sheet.replaceChildren(slip(found.body));
  window.print();
  sheet.replaceChildren();
}

function slip(ticket) {
  const { code } = ticket;
  return h(
    "div",
    { class: "desk-slip" },
    h("p", {}, ticket.hospital),
    h("p", { class: "copy" }, _("Copy")),
    h("p", {}, ticket.masked_name),
    h("p", { class: "big" }, ticket.queue_number),
    ticket.label_aliases.length > 0 && h("p", {}, _("Also: {numbers}", { numbers: ticket.label_aliases.join(", ") })),
    h("p", {}, h("strong", {}, ticket.exam_name)),
    ticket.room && h("p", {}, placeOf(ticket.room)),
    h("p", {}, ngettext("{n} person ahead", "{n} people ahead", ticket.people_ahead)),
    h("p", {}, _("Waiting since {time}", { time: clock(ticket.opened_at) })),
    code && drawing("code", `0 0 ${code.size} ${code.size}`, code.path),
    code && h("p", {}, _("Follow the line on your phone")),
    h("p", { class: "hint" }, _("Printed {time}", { time: dayAndTime(ticket.printed_at) })),
  );
}
