// The screen of a kiosk out of order: what is broken, and where to go instead.

import { h, icon } from "/page/dom.js";
import { _ } from "/page/words.js";
import { ANY_OUTAGE, OUTAGES } from "./states.js";

/** Makes the screen of a kiosk that cannot check people in. `reason` is a key of OUTAGES. */
export function outage(screen, reason) {
  return h(
    "section",
    { class: "screen telling" },
    h("div", { class: "sign broken" }, icon("warn")),
    h("h1", { tabindex: -1, "data-name": "headline" }, _("This kiosk is out of order")),
    h("p", { class: "lead" }, _(OUTAGES[reason] ?? ANY_OUTAGE)),
    checkInAtTheDesk(screen?.kiosk.desk),
  );
}

/** Sends a person who cannot check in here to the desk. */
export function checkInAtTheDesk(desk) {
  const words = desk ? _("Please check in at the desk: {desk}", { desk }) : _("Please check in at the desk.");
  return h("p", { class: "goto" }, icon("place"), h("span", {}, words));
}

/** Makes the screen of a page that has just opened. */
export function starting() {
  return h("section", { class: "screen telling" }, h("h1", { tabindex: -1, "data-name": "headline" }, _("One moment, please")));
}
