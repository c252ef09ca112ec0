// The menu of one entry: all that may be done with it now. One menu serves all rows, and belongs to the entry, not to a place.

import { h } from "/page/dom.js";
import { offersOf } from "./board_offers.js";
import { actionWord, keyOf, labelOf } from "./board_words.js";
import { nameOf } from "./board_row.js";
import { clock } from "./time.js";

/**
 * The menu, in an element of the page. `choose` gets the entry's id and the chosen offer, `closed` the id when the focus has
 * to go back to its row.
 */
export class Menu {
  #element = h("div", { class: "menu", role: "menu", popover: "auto" });
  #id = "";

  constructor(within, { choose, closed }) {
    Object.assign(this, { choose, closed });
    within.append(this.#element);
    this.#element.addEventListener("click", (event) => this.#press(event.target.closest("button")));
    this.#element.addEventListener("keydown", (event) => this.#key(event));
    this.#element.addEventListener("toggle", ({ newState }) => newState === "closed" && this.#closed());
  }

  /** Opens the menu of an entry beside the button that was pressed. */
  open(row, rules, opener) {
    this.#id = row.queue_id;
    this.#element.setAttribute("aria-label", nameOf(row));
    this.#element.replaceChildren(titleOf(row), ...offersOf(row, rules).map((offer) => item(offer, row)));
    this.#element.showPopover();
    place(this.#element, opener.getBoundingClientRect());
    this.#element.querySelector("button")?.focus();
  }

  /** Closes the menu, where it belongs to another entry than these rows have. */
  follow(hasRow) {
    if (this.#id && !hasRow(this.#id)) this.#element.hidePopover();
  }

  #press(button) {
    if (!button) return;
    const { kind, name } = button.dataset;
    const id = this.#id;
    this.#element.hidePopover();
    this.choose(id, { kind, name });
  }

  #key(event) {
    const items = [...this.#element.querySelectorAll("button")];
    const here = items.indexOf(document.activeElement);
    const to = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: items.length - 1 }[event.key];
    const byKey = items.find(({ dataset }) => dataset.key === event.key.toLowerCase() && dataset.key);
    if (to !== undefined) items[(to + items.length) % items.length]?.focus();
    else if (byKey && !event.ctrlKey && !event.metaKey && !event.altKey) this.#press(byKey);
    else if (event.key === "Tab" || event.key === "Escape") this.#element.hidePopover();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #closed() {
    const id = this.#id;
    this.#id = "";
    const isLost = this.#element.contains(document.activeElement) || document.activeElement === document.body;
    if (id && isLost) this.closed(id);
  }
}

// The menu may lie on the row: it says itself whose it is. A screen reader has that as its label.
function titleOf(row) {
  return h("p", { class: "whose", "aria-hidden": "true" }, nameOf(row));
}

function item(offer, { undo }) {
  const key = keyOf(offer);
  const isUndo = offer.kind === "undo" && undo;
  const whose = isUndo && h("small", {}, [actionWord(undo.action), undo.by, clock(undo.at)].filter(Boolean).join(", "));
  const data = { "data-kind": offer.kind, "data-name": offer.name, "data-key": key };
  return h("button", { type: "button", role: "menuitem", tabindex: "-1", ...data }, labelOf(offer), whose, key && h("kbd", {}, key.toUpperCase()));
}

/** Puts the menu below the button, or above it where there is no room. */
function place(menu, { top, bottom, right }) {
  const { width, height } = menu.getBoundingClientRect();
  const isBelow = bottom + height + 8 < innerHeight;
  menu.style.left = `${Math.max(8, right - width)}px`;
  menu.style.top = `${isBelow ? bottom + 4 : Math.max(8, top - height - 4)}px`;
}
