// The screen of a person who may have left: their data is hidden, and a press brings it back.

import { button, h, icon } from "/page/dom.js";
import { _ } from "/page/words.js";

/** Makes the screen that asks whether the person is still there. `goOn` shows the data again. */
export function stillHere({ screen, goOn }) {
  return h(
    "section",
    { class: "screen telling" },
    h("div", { class: "sign" }, icon("clock")),
    h("h1", { tabindex: -1, "data-name": "headline" }, _("Are you still there?")),
    h("p", { class: "lead" }, _("Your details are hidden. Press the button to go on, or hold your card again.")),
    button("go-on", "next", "next", _("Go on"), goOn, { "data-stay": screen.stay }),
  );
}
