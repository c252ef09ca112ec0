// The lists of the board: a line for each exam, and beside them those who are called, who did not come, and who have ended.

import { h } from "/page/dom.js";
import { _ } from "/page/words.js";
import { KeyedList } from "./board_list.js";
import { mayBeCalled } from "./board_offers.js";
import { nextOf } from "./board_model.js";
import { drawRow, isSame, makeRow, markLeft, nameOf } from "./board_row.js";
import { entryWord } from "./states.js";

/** Draws what the board shows, and keeps the elements of what stays. */
export class Lists {
  #sections = new Map(); // by exam id: {element, head, list, next}

  /** `picture()` returns the picture that is drawn now. */
  constructor(rules, picture) {
    Object.assign(this, { rules, picture });
    this.lines = document.getElementById("lines");
    this.hand = this.#listIn(document.querySelector("#hand ol"));
    this.missed = this.#listIn(document.querySelector("#missed ol"));
    this.ended = this.#listIn(document.querySelector("#ended ol"));
  }

  /**
   * Draws a view. `itemOf` makes the item of a row. While `isHeld` nothing moves. `keyExam` is the exam that the key of the
   * next call is for. Returns whether the order of any line has changed.
   */
  draw(view, { itemOf, isHeld, keyExam, isOff, pressOf, nextCalls }) {
    document.getElementById("loading")?.remove();
    this.#arrange(view.lines.map(({ exam }) => exam));
    let hasMoved = false;
    for (const line of view.lines) {
      const section = this.#sections.get(line.exam.exam_id);
      const next = nextOf(line, this.rules.ready);
      hasMoved = section.list.show(line.rows.map((row) => itemOf(row, row === next)), isHeld) || hasMoved;
      if (!isHeld) section.next = next;
      const id = line.exam.exam_id;
      nextCalls.note(id, section.next);
      const isOffNow = isOff || nextCalls.isResting;
      drawHead(section, line, this.rules, { isKey: id === keyExam, isOff: isOffNow, isNew: nextCalls.isNew(id), press: pressOf(section.next) });
    }
    hasMoved = this.hand.show(view.atHand.map((row) => itemOf(row)), isHeld) || hasMoved;
    document.querySelector("#hand .none").hidden = view.atHand.length > 0;
    this.missed.show(view.missed.map((row) => itemOf(row)), isHeld);
    this.ended.show(view.ended.map((row) => itemOf(row)), isHeld);
    document.getElementById("missed").hidden = view.missed.length === 0;
    document.getElementById("ended").hidden = view.ended.length === 0;
    return hasMoved;
  }

  /** Returns the element of an entry, wherever it stands. */
  at(queueId) {
    const lists = [...[...this.#sections.values()].map(({ list }) => list), this.hand, this.missed, this.ended];
    return lists.map((list) => list.at(queueId)).find((element) => element && !element.classList.contains("left"));
  }

  #arrange(exams) {
    const ids = exams.map(({ exam_id: id }) => id);
    for (const [id, { element }] of this.#sections) {
      if (ids.includes(id)) continue;
      element.remove();
      this.#sections.delete(id);
    }
    exams.forEach((exam, index) => {
      const { element } = this.#sections.get(exam.exam_id) ?? this.#addSection(exam);
      if (this.lines.children[index] !== element) this.lines.insertBefore(element, this.lines.children[index] ?? null);
    });
  }

  #addSection({ exam_id: id }) {
    const title = h("h2", { id: `exam ${id}` });
    const counts = h("p", { class: "counts" });
    const button = h("button", { type: "button", class: "primary call-next", "data-press": "next" });
    const list = h("ol", { class: "line" });
    const none = h("p", { class: "none", hidden: true }, _("Nobody is waiting."));
    const head = h("div", { class: "exam-head" }, h("div", {}, title, counts), button);
    const element = h("section", { class: "exam", "data-exam": id, "aria-label": id }, head, columnHeads(), none, list);
    const section = { element, title, counts, button, none, list: this.#listIn(list), next: undefined };
    this.#sections.set(id, section);
    return section;
  }

  #listIn(element) {
    return new KeyedList(element, {
      idOf: ({ row }) => row.queue_id,
      make: makeRow,
      draw: (frame, item) => drawRow(frame, item, this.rules),
      isSame,
      leave: (frame) => markLeft(frame, this.#whereIs(frame.dataset.id)),
    });
  }

  #whereIs(queueId) {
    const { rows, ended } = this.picture();
    const row = rows.get(queueId) ?? ended.find(({ queue_id: id }) => id === queueId);
    return row ? [entryWord(row.state), row.by].filter(Boolean).join(" · ") : _("No longer here");
  }
}

function columnHeads() {
  const words = [_("Number"), _("Name"), _("Time"), _("Waiting time"), _("Notes"), ""];
  return h("p", { class: "column-heads", "aria-hidden": "true" }, words.map((word) => h("span", {}, word)));
}

function drawHead(section, { exam, rows }, rules, { isKey, isOff, isNew, press }) {
  const { element, title, counts, button, none, next } = section;
  element.setAttribute("aria-label", exam.title);
  put(title, exam.title);
  put(counts, countWords(exam, rows.length));
  none.hidden = rows.length > 0;
  const words = nextWords(next, rules, press);
  const isDead = isOff || !next || press !== undefined || !mayBeCalled(next, rules);
  button.setAttribute("aria-disabled", String(isDead));
  button.classList.toggle("new", isNew);
  if (button.dataset.words === `${words} ${isKey}`) return;
  button.dataset.words = `${words} ${isKey}`;
  button.replaceChildren(h("span", {}, words), isKey ? h("kbd", { "aria-hidden": "true" }, "N") : "");
}

function nextWords(next, rules, press) {
  if (!next) return _("Nobody to call");
  const who = nameOf(next);
  if (press) return _("Calling {who} …", { who });
  return mayBeCalled(next, rules) ? _("Call next: {who}", { who }) : _("{who} is in another exam now", { who });
}

function countWords({ room, order }, waiting) {
  const byBooking = order === "booking" ? _("by booked time") : _("by arrival");
  return [room, _("{n} waiting", { n: waiting }), byBooking].filter(Boolean).join(" · ");
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
