// What the page says: to be read and to be heard.

import { h } from "/page/dom.js";
import { _ } from "/page/words.js";

const at = (id) => document.getElementById(id);
const STAYS_MS = 10_000;

/**
 * Says something in a message that stays a while. `more` is a button in it: `{label, onclick, key}`. `place` is where a screen reader
 * hears it, once. Returns its end.
 */
export function say(text, { kind = "good", more, stays = STAYS_MS, place = "said" } = {}) {
  hear(place, text);
  const button = more && h("button", { type: "button", class: "small", onclick: () => (end(), more.onclick()) }, more.label, more.key && h("kbd", {}, more.key));
  const close = h("button", { type: "button", class: "quiet small", "aria-label": _("Close this message"), onclick: () => end() }, "×");
  const toast = h("div", { class: `toast ${kind}` }, h("p", {}, text), button, close);
  for (const same of [...at("toasts").children].filter((each) => each.firstChild.textContent === text)) same.remove();
  at("toasts").append(toast);
  let timer = 0;
  let before = null; // where the focus was
  const end = () => {
    clearTimeout(timer);
    const hadFocus = toast.contains(document.activeElement);
    toast.remove();
    if (hadFocus && before?.isConnected) before.focus({ preventScroll: true });
  };
  const wait = () => (clearTimeout(timer), (timer = setTimeout(end, stays)));
  // Whoever is at it is given the time.
  toast.addEventListener("mouseenter", () => clearTimeout(timer));
  toast.addEventListener("focusin", ({ relatedTarget }) => {
    clearTimeout(timer);
    if (!toast.contains(relatedTarget)) before = relatedTarget;
  });
  for (const type of ["mouseleave", "focusout"]) toast.addEventListener(type, () => toast.contains(document.activeElement) || wait());
  wait();
  while (at("toasts").children.length > 4) at("toasts").firstChild.remove();
  return end;
}

/** Says what went wrong, at once and for longer. */
export function complain(text, more) {
  return say(text, { kind: "bad", more, stays: 3 * STAYS_MS, place: "alarm" });
}

/** Lets a screen reader say something that the page shows by itself. */
export function hear(place, text) {
  const element = at(place);
  element.textContent = "";
  requestAnimationFrame(() => (element.textContent = text)); // the same text twice is said twice
}
