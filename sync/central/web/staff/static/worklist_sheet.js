// A worklist as a sheet of paper: a function of the rows alone.

import { h } from "/page/dom.js";
import { N_, _, clock, ngettext } from "/page/words.js";
import { placeOf } from "./places.js";
import { bookingWord, entryWord, kindWord } from "./states.js";
import { dayAndTime } from "./time.js";

const EMPTY_LINES = 5; // for patients who come while nothing works

const BOOKINGS = {
  booked: N_("Not in line yet"),
  arrived: N_("In the hospital"),
};

/** Makes the sheet of a worklist. `withDone`: those who are done are on it too. */
export function sheet(list, { withDone }) {
  const rows = list.rows.filter((row) => withDone || !row.is_over);
  const id = `sheet-${list.exam_id}`;
  return h(
    "div",
    { class: "sheet" },
    h("div", { class: "scroll", role: "region", tabindex: "0", "aria-labelledby": id }, table(list, rows, id)),
    h("p", { class: "total" }, ngettext("{n} patient is on this list.", "{n} patients are on this list.", rows.length)),
  );
}

// The head stands on each page of paper.
function table(list, rows, id) {
  return h(
    "table",
    {},
    h("thead", {}, h("tr", { class: "headline" }, h("th", { colspan: "8", scope: "colgroup" }, headline(list, id))), columns()),
    h("tbody", {}, rows.map(line), Array.from({ length: EMPTY_LINES }, emptyLine)),
  );
}

function headline(list, id) {
  const place = [list.title, list.room && placeOf(list.room)].filter(Boolean).join(" · ");
  return [
    h("h2", { id }, place),
    h("p", {}, `${list.site} · ${dayAndTime(list.day)}`),
    h("p", { class: "as-of" }, asOf(list)),
  ];
}

/** Of what time a worklist is, in words. */
export function asOf({ timestamp }) {
  return _("As of {time}. It may be out of date after that.", { time: clock(timestamp) });
}

function columns() {
  const heads = [_("Number"), _("Time"), _("Patient"), _("State and note")].map((text) => h("th", { scope: "col" }, text));
  const boxes = [_("Call"), _("In"), _("Done")].map((text) => h("th", { scope: "col", class: "tick" }, text));
  return h("tr", {}, heads, boxes, h("th", { scope: "col", class: "remark" }, _("Remark")));
}

function line(row) {
  return h(
    "tr",
    { class: row.is_over ? "over" : null },
    h("td", { class: "number" }, row.queue_number || "–", row.label_aliases.map((other) => h("small", {}, other))),
    h("td", { class: "time" }, times(row)),
    h("th", { scope: "row", class: "patient" }, h("strong", { lang: row.language }, row.name), h("small", {}, [row.birth_date, row.patient_id].filter(Boolean).join(" · "))),
    h("td", { class: "state" }, h("span", {}, stateOf(row)), priority(row), row.note && h("small", { class: "note" }, row.note)),
    tick(),
    tick(),
    tick(),
    h("td", { class: "remark" }),
  );
}

function times(row) {
  if (row.booked_at) return [clock(row.booked_at), row.arrived_at && h("small", {}, _("came {time}", { time: clock(row.arrived_at) }))];
  return row.arrived_at ? [clock(row.arrived_at), h("small", {}, _("no booking"))] : _("any time today");
}

function stateOf({ state, status }) {
  if (state !== null) return entryWord(state);
  return BOOKINGS[status] ? _(BOOKINGS[status]) : bookingWord(status);
}

function priority({ priority: weight, priority_kind: kind, priority_reason: reason }) {
  if (weight <= 0) return null;
  const words = kind ? kindWord(kind) : _("Priority");
  return h("small", { class: "priority" }, reason ? `${words}: ${reason}` : words);
}

const tick = () => h("td", { class: "tick" }, h("span", { class: "box", "aria-hidden": "true" }));

function emptyLine() {
  return h("tr", { class: "empty", "aria-hidden": "true" }, h("td"), h("td"), h("td"), h("td"), tick(), tick(), tick(), h("td", { class: "remark" }));
}
