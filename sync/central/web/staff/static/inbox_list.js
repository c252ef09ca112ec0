// The list of cases, and the choices of what it shows.

import { fill, h } from "/page/dom.js";
import { _, clock, ngettext } from "/page/words.js";
import { settledWord } from "./inbox_names.js";
import { titleOf } from "./inbox_words.js";
import { ago } from "./time.js";

const list = document.getElementById("list");
const selects = { code: document.getElementById("filter-code"), kiosk_id: document.getElementById("filter-kiosk") };

/** Draws the cases. `chosen` is the id of the one that is shown, `viewers` who has which one open, but for this page. */
export function drawList({ cases, more, tab, chosen, viewers, isLoaded, filtered }) {
  if (!isLoaded) return fill(list, h("p", { class: "hint" }, _("The cases are being loaded.")));
  if (!cases.length) return fill(list, h("p", { class: "notice good", "data-name": "none" }, emptyWords(tab, filtered)));
  const rows = cases.map((each) => h("li", {}, row(each, tab, each.exception_id === chosen, viewers)));
  const rest = more > 0 && h("button", { type: "button", "data-do": "more", "data-name": "more" }, ngettext("Show {n} more", "Show {n} more", more));
  fill(list, h("ul", { class: "cases" }, rows), rest);
}

/** Draws the choices of kinds and kiosks, with the number of cases of each. */
export function drawFilter(groups, filter) {
  const codes = sums(groups, (each) => [each.code, titleOf(each.code)]);
  const kiosks = sums(groups, (each) => each.kiosk_id && [each.kiosk_id, each.kiosk_name ?? each.kiosk_id]);
  options(selects.code, _("all kinds"), codes, filter.code);
  options(selects.kiosk_id, _("all kiosks"), kiosks, filter.kiosk_id);
}

function row(each, tab, isChosen, viewers) {
  const looking = viewers.filter(({ exception_id: id }) => id === each.exception_id).map(({ name }) => name);
  return h(
    "button",
    { type: "button", class: "case", "data-do": "open", "data-case": each.exception_id, "data-name": each.exception_id, "aria-current": isChosen ? "true" : null },
    h("span", { class: "title" }, titleOf(each.code)),
    each.count > 1 && h("span", { class: "badge mild" }, ngettext("{n} time", "{n} times", each.count)),
    h("span", { class: "who" }, each.patient_name ?? _("Nobody known"), each.kiosk_name && ` · ${each.kiosk_name}`),
    h("span", { class: "when" }, tab === "settled" ? settledWords(each) : `${clock(each.opened_at)} · ${ago(each.opened_at)}`),
    looking.length > 0 && h("span", { class: "badge" }, _("open at: {names}", { names: looking.join(", ") })),
  );
}

function settledWords({ settled_at: at, settled_by_name: by, settlement }) {
  return `${clock(at)} · ${by} · ${settledWord(settlement.how)}`;
}

function emptyWords(tab, filtered) {
  if (tab === "settled") return _("No case was settled today.");
  return filtered ? _("No case of this kind is open.") : _("Nothing waits for you. New cases appear here by themselves.");
}

function sums(groups, keyOf) {
  const found = new Map();
  for (const each of groups) {
    const key = keyOf(each);
    if (!key) continue;
    const [value, label] = key;
    const { count } = found.get(value) ?? { count: 0 };
    found.set(value, { label, count: count + each.count });
  }
  return found;
}

function options(select, all, found, wanted = "") {
  // A chosen kind stays among the choices when its last case is gone.
  const rows = [["", all], ...[...found].map(([value, { label, count }]) => [value, `${label} (${count})`])];
  if (wanted && !found.has(wanted)) rows.push([wanted, `${select.selectedOptions[0]?.dataset.label ?? wanted} (0)`]);
  const made = rows.map(([value, text]) => h("option", { value, "data-label": found.get(value)?.label ?? text }, text));
  fill(select, made);
  select.value = wanted;
}
