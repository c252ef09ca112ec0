// The ticket: the queue number, the exam, the place, the people ahead and the wait.

import { drawing, h, icon } from "/page/dom.js";
import { _, said } from "/page/words.js";

const STAMPS = { confirmed: "check" };
const AT_THE_ROOM = ["room", "front", "inside"];

/** Whether the next step is at the room of the ticket. The ticket then has the line that says where. */
export function isAtTheRoom({ place }) {
  return AT_THE_ROOM.includes(place);
}

/** Makes the ticket of the current queue entry. */
export function ticket({ ticket: line, said: words, visit_code: code }) {
  const word = !line.called && line.word; // that one is called is the headline
  return h(
    "section",
    { class: `ticket ${line.state}`, "aria-label": _("Queue number") },
    h(
      "div",
      { class: "stub" },
      h("p", { class: "number" }, line.queue_number),
      line.also && also(line),
      word && h("p", { class: "state" }, said(word)),
      code && telephone(code),
    ),
    h(
      "div",
      { class: "body" },
      h(
        "dl",
        {},
        fact("exam", _("For"), line.exam_name),
        isAtTheRoom(words) && fact("place", _("Where"), said(words.where)),
        line.ahead && fact("people", _("Ahead"), said(line.ahead)),
        line.wait && fact("clock", _("Wait"), said(line.wait)),
      ),
      words.stamp && stamp(words.stamp),
    ),
  );
}

/** Makes the list of the patient's other queue entries. */
export function otherLines({ journey, ticket: shown }) {
  const others = journey.queue_details.filter((line) => line.queue_id !== shown?.queue_id);
  if (!others.length) return null;
  return h(
    "ul",
    { class: "others", "aria-label": _("Your other numbers") },
    others.map((line) =>
      h(
        "li",
        {},
        h("strong", {}, line.queue_number),
        line.also && also(line),
        h("span", {}, line.exam_name),
        line.word && h("span", { class: "status" }, said(line.word)),
      ),
    ),
  );
}

// Kiosks that were offline printed these numbers for the same entry; the patient's slip may have any of them.
function also(line) {
  return h("p", { class: "also" }, said(line.also));
}

function fact(picture, label, value) {
  return h("div", { class: "fact" }, h("dt", {}, icon(picture), h("span", { class: "unseen" }, label)), h("dd", {}, value));
}

// Dark on light in every look, with the margin that ISO/IEC 18004 asks for.
function telephone({ size, path }) {
  const margin = 4;
  const box = `${-margin} ${-margin} ${size + 2 * margin} ${size + 2 * margin}`;
  return h(
    "figure",
    { class: "telephone" },
    drawing("code", box, path),
    h("figcaption", {}, _("On your phone")),
  );
}

function stamp({ kind, text }) {
  return h("p", { class: `kept ${kind}` }, icon(STAMPS[kind] ?? "saved"), h("span", {}, said(text)));
}
