// Keys that do what buttons do, and a list of them under `?`.

import { h } from "/page/dom.js";
import { _ } from "/page/words.js";
import { show } from "./dialog.js";

const KEPT = "nk-keys";
const SIGNS = { ArrowDown: "↓", ArrowUp: "↑", Escape: "Esc" };
const keys = [];
let isOff = kept() === "off"; // the single keys, for a person whose voice or tool types letters (WCAG 2.2, 2.1.4)

/** Adds a key, such as `n`, `ArrowDown` or `Ctrl+z`. `what` is said in the list. It is dead while something is typed or asked. */
export function key(name, what, act) {
  keys.push({ name, what, act });
  const button = document.getElementById("keys-button");
  if (button) button.hidden = false;
}

function pressed(event) {
  const typed = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (typed && event.key === "Escape" && !event.isComposing && !document.querySelector("dialog[open]")) typed.blur(); // the keys work again
  if (typed || document.querySelector("dialog[open]") || event.altKey || event.metaKey || event.isComposing) return;
  const name = (event.ctrlKey ? "Ctrl+" : "") + (event.key.length === 1 ? byPlace(event) : event.key);
  if (name === "?") return list();
  const found = keys.find((each) => each.name === name);
  if (!found || (isOff && name.length === 1)) return;
  event.preventDefault();
  found.act(event);
}

/** A letter as it stands on the keyboard in Latin, so that a key works with a Korean input method on. */
function byPlace({ key: text, code }) {
  return /^Key[A-Z]$/.test(code) ? code.slice(3).toLowerCase() : text;
}

/** A key as it stands on the keyboard. */
function signOf(name) {
  return name.split("+").map((part) => SIGNS[part] ?? (part.length === 1 ? part.toUpperCase() : part)).join(" ");
}

function list() {
  const rows = keys.map(({ name, what }) => h("tr", {}, h("th", { scope: "row" }, h("kbd", {}, signOf(name))), h("td", {}, what)));
  const box = h("input", { type: "checkbox", checked: !isOff, onchange: () => keep(!box.checked) });
  const single = h("p", {}, h("label", {}, box, _("Single keys do something")));
  show({ title: _("Keys"), content: [single, h("table", {}, h("tbody", {}, rows))] });
}

function kept() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null; // a browser may forbid it
  }
}

function keep(off) {
  isOff = off;
  try {
    localStorage.setItem(KEPT, off ? "off" : "on");
  } catch {
    // Then it lasts as long as the page.
  }
}

document.addEventListener("keydown", pressed);
document.getElementById("keys-button")?.addEventListener("click", list);
