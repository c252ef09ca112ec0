// The table of the rows that were found.

import { h } from "/page/dom.js";
import { _, ngettext } from "/page/words.js";
import { whatOf, whereOf, whoOf } from "./log_words.js";
import { dayAndTime } from "./time.js";

const MOST_NAMED = 8;
const OWN = new Set(["from", "channel", "count"]);

/** The table; a sentence where there are no rows. */
export function drawRows({ rows, names, asked, doers }) {
  if (!rows.length) return h("p", { class: "notice" }, _("No row fits."));
  const heads = [_("Time"), _("Who"), _("What"), _("Patients"), _("From where")].map((text) => h("th", { scope: "col" }, text));
  return h("table", {}, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, rows.map((row) => drawRow(row, names, asked, doers))));
}

function drawRow(row, names, asked, doers) {
  return h(
    "tr",
    {},
    h("th", { scope: "row", tabindex: "-1" }, h("time", { datetime: row.at }, dayAndTime(row.at)), !row.block && h("span", { class: "badge mild" }, _("not sealed yet"))),
    h("td", { title: row.who }, whoOf(row.who, doers)),
    h("td", {}, whatOf(row), more(row)),
    h("td", {}, patientsOf(row.patients, names, asked)),
    h("td", {}, whereOf(row)),
  );
}

/** The patients of a row. Where one was asked for, the others are counted: a print must not tell of them. */
function patientsOf(patients, names, asked) {
  const fitting = asked.length ? patients.filter((id) => asked.includes(id)) : patients;
  const named = fitting.slice(0, MOST_NAMED).map((id) => (names[id] ? `${names[id]} (${id})` : id));
  const others = patients.length - named.length;
  return [...named, others > 0 && ngettext("and {n} other", "and {n} others", others)].filter(Boolean).join(", ");
}

function more({ detail, action_id: action, audit_id: id, block }) {
  const facts = Object.entries({ ...detail, action, block, row: id }).filter(([name, value]) => !OWN.has(name) && value !== null && value !== undefined);
  const terms = facts.map(([name, value]) => [h("dt", {}, name), h("dd", {}, typeof value === "object" ? JSON.stringify(value) : String(value))]);
  return h("details", {}, h("summary", {}, _("More")), h("dl", { class: "facts" }, terms));
}
