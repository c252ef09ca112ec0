// The dialogs on top of the page: where the staff are, and the demo's cards.

import { seconds } from "./controls.js";
import { button, fill, h, icon } from "/page/dom.js";
import { _ } from "/page/words.js";

const at = (id) => document.getElementById(id);

/** Whether a dialog is open. */
export function dialogOpen() {
  return Boolean(document.querySelector("dialog[open]"));
}

/** Closes the open dialog. Returns whether one was open. */
export function closeDialogs() {
  const open = [...document.querySelectorAll("dialog[open]")];
  for (const dialog of open) dialog.close();
  return open.length > 0;
}

/** Opens the dialog about the staff. */
export function openHelp() {
  if (!at("help").open) at("help").showModal();
}

/** Fills the dialog about the staff: where they are, the time left, and more time. The kiosk cannot call them. */
export function showHelp(screen, { left, forSettings, setPace }) {
  const desk = screen?.kiosk.desk;
  const pace = { "data-stay": screen?.stay, "aria-pressed": String(Boolean(screen?.slow)) };
  fill(
    at("help"),
    h("div", { class: "sign" }, icon("staff")),
    h("h1", { id: "help-title", tabindex: -1 }, _("The staff will help you")),
    h("p", { class: "goto" }, icon("place"), h("span", {}, desk || _("At the check-in desk"))),
    left !== null && h("p", { class: "note mild" }, icon("clock"), seconds(forSettings)),
    h("p", { class: "lead" }, _("You may leave this screen as it is: it clears itself.")),
    screen && button("slow", "keep pace", screen.slow ? "check" : "clock", _("Three times as much time"), setPace, pace),
    button("close", "next", "back", _("Back to the screen"), () => at("help").close()),
  );
}

/** Shows the strip that opens the demo's cards, on a kiosk with a simulated reader. */
export function showDemoStrip(demo) {
  const open = () => !at("cards").open && at("cards").showModal();
  fill(at("demo"), demo && button("demo", "demo", "card", _("Demo: hold a card to the reader"), open));
}

/** Fills the dialog of the demo's cards. `present` holds one to the simulated reader. */
export function showCards(cards, present) {
  const dialog = at("cards");
  fill(
    dialog,
    h("h1", { id: "cards-title", tabindex: -1 }, _("Demo cards")),
    h("p", { class: "lead" }, _("Press one to hold it to the simulated reader.")),
    h(
      "div",
      { class: "deck" },
      cards.map(({ uid, label }) => demoCard(uid, label, present)),
    ),
    button("close-cards", "keep", "close", _("Close"), () => dialog.close()),
  );
}

function demoCard(uid, label, present) {
  const press = async (event) => {
    const pressed = event.currentTarget;
    pressed.disabled = true;
    await present(uid);
    pressed.disabled = false;
  };
  return h(
    "button",
    { type: "button", class: "demo-card", "data-name": `card-${uid}`, onclick: press },
    icon("hospital"),
    h("span", {}, label),
  );
}
