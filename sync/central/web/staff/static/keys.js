// Keys that do what buttons do, and a list of them under `?`.

import { h } from "/page/dom.js";
import { _ } from "/page/words.js";
import { show } from "./dialog.js";

const keys = [];

/** Adds a key, such as `n`, `ArrowDown` or `Ctrl+z`. `what` is said in the list. It is dead while something is typed or asked. */
export function key(name, what, act) {
  keys.push({ name, what, act });
  const button = document.getElementById("keys-button");
  if (button) button.hidden = false;
}

function pressed(event) {
  const typed = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (typed || document.querySelector("dialog[open]") || event.altKey || event.metaKey || event.isComposing) return;
  const name = (event.ctrlKey ? "Ctrl+" : "") + (event.key.length === 1 ? byPlace(event) : event.key);
  if (name === "?") return list();
  const found = keys.find((each) => each.name === name);
  if (!found) return;
  event.preventDefault();
  found.act(event);
}

/** A letter as it stands on the keyboard in Latin, so that a key works with a Korean input method on. */
function byPlace({ key: text, code }) {
  return /^Key[A-Z]$/.test(code) ? code.slice(3).toLowerCase() : text;
}

function list() {
  const rows = keys.map(({ name, what }) => h("tr", {}, h("th", { scope: "row" }, h("kbd", {}, name)), h("td", {}, what)));
  show({ title: _("Keys"), content: [h("table", {}, h("tbody", {}, rows))] });
}

document.addEventListener("keydown", pressed);
document.getElementById("keys-button")?.addEventListener("click", list);
