// The screen of a card for the desk: staff await it, or it was read. It names nobody, and checks nobody in.

import { button, h, icon } from "/page/dom.js";
import { _, language, offered, saidIn } from "/page/words.js";
import { ANY_REFUSAL, DESK_CARDS, REFUSALS } from "./states.js";

/** Makes the screen of a card for the desk. `leave` ends the wait. Whose card it is nobody knows, so it asks in every language. */
export function deskCard({ screen, leave }) {
  const { title, lead, icon: picture } = DESK_CARDS[screen.desk_card] ?? DESK_CARDS.waits;
  const refused = screen.reason && (REFUSALS[screen.reason] ?? ANY_REFUSAL);
  const waits = screen.desk_card === "waits";
  return h(
    "section",
    { class: "screen telling" },
    h("div", { class: refused ? "sign refused" : "sign" }, icon(refused ? refused.icon : picture)),
    h("h1", { tabindex: -1, "data-name": "headline" }, _(title)),
    waits && offered(screen.languages).filter((tag) => tag !== language()).map((tag) => h("p", { class: "lead", lang: tag }, saidIn(tag, title))),
    lead && h("p", { class: "lead" }, _(lead)),
    refused && h("p", { class: "aside" }, icon("card"), h("span", { "data-name": "refused" }, _(refused.title))),
    waits && button("end-wait", "next", "back", _("Do not hold a card"), leave, { "data-stay": screen.stay }),
  );
}
