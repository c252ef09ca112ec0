// The screens of an unknown card and of a refused card: what it is, and what to do instead.

import { h, icon } from "/page/dom.js";
import { _ } from "/page/words.js";
import { withoutCard } from "./attract.js";
import { alarm, next } from "./journey.js";
import { checkInAtTheDesk } from "./outage.js";
import { ANY_LOOKUP, ANY_REFUSAL, LOOKUPS, NO_CHECK_IN, REFUSALS } from "./states.js";

/**
 * Makes the screen of a good card that the kiosk does not know. Its holder may check in where the kiosk is granted that; the
 * desk then asks for the name.
 */
export function unknownCard({ screen, busy, trouble, press }) {
  const { title, lead } = LOOKUPS[screen.lookup] ?? ANY_LOOKUP;
  const isAsked = screen.lookup === "asked";
  const isDeadEnd = !isAsked && !screen.next_action;
  return h(
    "section",
    { class: "screen telling" },
    h("div", { class: "sign" }, icon("card")),
    h("h1", { tabindex: -1, "data-name": "headline" }, _(title)),
    h("p", { class: "lead" }, _(isDeadEnd ? NO_CHECK_IN : lead)),
    isDeadEnd && checkInAtTheDesk(screen.kiosk.desk),
    trouble && alarm(trouble),
    screen.next_action && next({ screen, busy, press }),
    !isAsked && h("p", { class: "aside" }, icon("card"), h("span", {}, _("Have you another card? Hold it to the reader."))),
  );
}

/** Makes the screen of a card that cannot be used. */
export function refusedCard({ screen }) {
  const { title, lead, leadWithoutDesk, icon: picture } = REFUSALS[screen.reason] ?? ANY_REFUSAL;
  const { desk } = screen.kiosk;
  return h(
    "section",
    { class: "screen telling" },
    h("div", { class: "sign refused" }, icon(picture)),
    h("h1", { tabindex: -1, "data-name": "headline" }, _(title)),
    h("p", { class: "lead" }, _(desk ? lead : (leadWithoutDesk ?? lead), { desk })),
    !leadWithoutDesk && withoutCard(desk),
  );
}
