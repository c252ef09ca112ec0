// The keys of the board. A key acts on the row that is chosen, which is the one with the focus or the one that had it last.

import { _ } from "/page/words.js";
import { KEYS, labelOf } from "./board_words.js";
import { key } from "./keys.js";

/** Adds the keys. Each member of `does` is what a key does. */
export function addKeys({ callNext, find, undoLast, move, press, day, menu, escape }) {
  const once = (act) => (event) => event.repeat || act(); // a key that is held is one press
  key("n", _("Call next"), once(callNext));
  for (const [letter, [kind, name]] of KEYS) {
    if (kind !== "undo" && kind !== "next") key(letter, _("Chosen row: {press}", { press: labelOf({ kind, name }) }), once(() => press(kind, name)));
  }
  key("u", _("Undo my last press"), once(undoLast));
  key("Ctrl+z", _("Undo my last press"), once(undoLast));
  key("ArrowDown", _("Choose the next row"), () => move(1));
  key("ArrowUp", _("Choose the row before"), () => move(-1));
  key("d", _("Chosen row: the patient's day"), once(day));
  key(".", _("Chosen row: all that can be done"), once(menu));
  key("/", _("Find a patient"), find);
  key("Escape", _("Close what is open"), escape);
}
