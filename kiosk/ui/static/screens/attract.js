// The screen without a person: what the kiosk is for, and where to hold the card.

import { h, icon } from "/page/dom.js";
import { _ } from "/page/words.js";

/** Makes the screen that waits for a card. */
export function attract({ screen }) {
  return h(
    "section",
    { class: "screen attract" },
    h("h1", { tabindex: -1, "data-name": "headline" }, _("Check in\nfor your visit here")),
    h(
      "div",
      { class: "hero" },
      icon("hold", "art"),
      h("p", { class: "hold" }, _("Hold your patient card\nto the reader")),
      h("p", { class: "where" }, icon("down"), h("span", {}, _("It is below this screen"))),
    ),
    withoutCard(screen.kiosk.desk),
  );
}

/** Says where to go without a usable card. */
export function withoutCard(desk) {
  const words = desk ? _("No card? Go to: {desk}", { desk }) : _("No card? The staff at the desk will help you.");
  return h("p", { class: "aside" }, icon("staff"), h("span", {}, words));
}
