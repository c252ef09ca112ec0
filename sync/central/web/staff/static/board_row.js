// One entry of the board as a row of a line, or as a card of the patients at hand.

import { h } from "/page/dom.js";
import { buttonsOf, offersOf } from "./board_offers.js";
import { keyOf, labelOf } from "./board_words.js";
import { entryWord, kindWord } from "./states.js";
import { _ } from "/page/words.js";

/**
 * What a row is drawn of: the entry, the press that it waits for and how far that is (`pressed`), whether it is the next
 * one, whether the patient is in the own room or in another one, whether nothing can be sent, and how long the patient waits, or is
 * called, or in the exam.
 * @typedef {{row: object, press: object | undefined, pressed: string | undefined, isNext: boolean,
 *   isMine: boolean, isElsewhere: boolean, isOff: boolean, since: string}} Item
 */

/** Whether two items look alike. */
export function isSame(one, other) {
  return (
    one.row === other.row &&
    one.pressed === other.pressed &&
    one.isNext === other.isNext &&
    one.isMine === other.isMine &&
    one.isElsewhere === other.isElsewhere &&
    one.isOff === other.isOff &&
    one.since === other.since
  );
}

/** Makes the frame of an entry. Its cells are drawn by `drawRow`. */
export function makeRow() {
  const cells = ["number", "who", "when", "since", "marks", "buttons"].map((name) => h("div", { class: `cell ${name}` }));
  return h("li", { class: "row" }, ...cells);
}

/** Draws an entry into its frame. A cell that looks as before keeps its elements, since a finger may be on one. */
export function drawRow(element, item, rules) {
  const [number, who, when, since, marks, buttons] = element.children;
  const { row, press, isNext, isMine, since: sinceWords } = item;
  element.classList.toggle("next", isNext);
  element.classList.toggle("pending", press !== undefined);
  element.classList.toggle("mine", isMine);
  element.classList.remove("left");
  element.dataset.state = row.state;
  fillCell(number, numberCell(row));
  fillCell(who, whoCell(row));
  fillCell(when, whenCell(row));
  fillCell(since, sinceCell(row, sinceWords));
  fillCell(marks, markCell(row, rules.ready.includes(row.state)));
  drawButtons(buttons, item, rules);
}

/** Marks the row of an entry that has left its list while the order is held. `where` says where it is now. */
export function markLeft(element, where) {
  element.classList.add("left");
  fillCell(element.querySelector(".buttons"), [h("span", { class: "gone" }, where)]);
}

/** Names a patient in a sentence. */
export function nameOf(row) {
  return `${row.queue_number} ${row.name}`;
}

function numberCell(row) {
  const aliases = row.label_aliases ?? [];
  const also = aliases.length > 0 && h("small", {}, _("also {numbers}", { numbers: aliases.join(", ") }));
  return [h("strong", {}, row.queue_number), also];
}

function whoCell(row) {
  const name = h("button", { type: "button", class: "name", "data-press": "day" }, row.name);
  return [name, h("small", {}, [row.birth_date, row.patient_id].filter(Boolean).join(" · "))];
}

function whenCell(row) {
  const booked = row.booked_at && h("span", {}, _("booked {time}", { time: hour(row.booked_at) }));
  return [booked, h("small", {}, _("came {time}", { time: hour(row.opened_at) }))];
}

function sinceCell(row, words) {
  return [h("span", {}, words), h("small", {}, [entryWord(row.state), row.room, row.by].filter(Boolean).join(" · "))];
}

// A line has many times. The hours of the day as they stand in the time are short, and never mistaken.
function hour(moment) {
  return /T(\d\d:\d\d)/.exec(moment)?.[1] ?? "";
}

function markCell(row, isUsual) {
  return [
    !isUsual && h("span", { class: "badge state" }, entryWord(row.state)),
    row.priority_kind && h("span", { class: `badge priority ${row.priority_kind}`, title: row.priority_reason }, "▲ ", kindWord(row.priority_kind)),
    row.priority_reason && h("span", { class: "why" }, row.priority_reason),
    ...(row.others ?? []).map(otherBadge),
    row.note && h("span", { class: "note", title: row.note }, row.note),
  ];
}

function otherBadge({ exam_name: exam, state, room }) {
  const place = [exam, room].filter(Boolean).join(" ");
  return h("span", { class: "badge other" }, _("also {place}: {state}", { place, state: entryWord(state) }));
}

function drawButtons(cell, { row, press, isElsewhere, isOff }, rules) {
  if (press) return fillCell(cell, [h("span", { class: "wait" }, waitWords(press))]);
  if (offersOf(row, rules).length === 0) return fillCell(cell, []);
  const presses = buttonsOf(row, rules).map((offer, index) => pressButton(offer, index === 0 && offer.kind === "act" && !isElsewhere, row, isOff));
  const name = _("More for {who}", { who: nameOf(row) });
  const more = h("button", { type: "button", class: "more", "data-press": "more", "aria-haspopup": "menu", "aria-label": name }, "⋯");
  return fillCell(cell, [...presses, more]);
}

function pressButton(offer, isUsual, row, isOff) {
  const off = isOff && { "aria-disabled": "true", title: _("No connection") };
  const attributes = { type: "button", "data-press": offer.kind, "data-name": offer.name, ...off };
  const words = { "aria-label": `${labelOf(offer)}: ${nameOf(row)}`, "aria-keyshortcuts": keyOf(offer).toUpperCase() || null };
  return h("button", { ...attributes, ...words, class: isUsual ? "usual" : "" }, labelOf(offer));
}

function waitWords({ offer, state }) {
  if (state === "lost") return _("{press}: no answer yet, asked again", { press: labelOf(offer) });
  return _("{press} …", { press: labelOf(offer) });
}

/** Gives a cell these children, unless they look like those that it has. */
function fillCell(cell, children) {
  const wanted = children.filter(Boolean);
  const present = [...cell.childNodes];
  const isAlike = wanted.length === present.length && wanted.every((child, index) => child.isEqualNode(present[index]));
  if (!isAlike) cell.replaceChildren(...wanted);
}
