// The board: the lines of some exams as the centre tells them, and what a nurse does with them.

import { _, clock } from "/page/words.js";
import { newId } from "/client/actions.js";
import { get, send } from "./api.js";
import { commandOf, nextCommand, undoCommand } from "./board_act.js";
import { keepChoice, readChoice, roomsOf } from "./board_choice.js";
import { Day } from "./board_day.js";
import { askChoice } from "./board_dialogs.js";
import { Find } from "./board_find.js";
import { Hold } from "./board_hold.js";
import { addKeys } from "./board_keys.js";
import { Lists } from "./board_lists.js";
import { Menu } from "./board_menu.js";
import { NextCalls } from "./board_next.js";
import { NOTHING, pictureOf, updated, viewOf } from "./board_model.js";
import { isUndoable, mayBeCalled, offerNamed } from "./board_offers.js";
import { Presses } from "./board_presses.js";
import { refusalWords } from "./board_refusals.js";
import { nameOf } from "./board_row.js";
import { Selection } from "./board_selection.js";
import { doneWords } from "./board_words.js";
import { live } from "./live.js";
import { complain, hear as sayUnseen, say } from "./say.js";
import { ago, isoOf } from "./time.js";
import { centreNow } from "./start.js";

const TICK_MS = 10_000; // the minutes of the rows
const OTHERS_FIRST = ["entry_changed", "line_moved"]; // the patient is another person's now: the next key is not for them
const board = document.getElementById("board");
const rules = JSON.parse(board.dataset.rules);

let exams = []; // all of the hospital
let choice = { exams: [], room: "" };
let picture = NOTHING;
let awaySince = centreNow(); // null while the picture is live
let channel = null;
let frameAsked = 0;
let endSaid = () => {}; // takes the words of the press before from the screen

const lists = new Lists(rules, () => picture);
const hold = new Hold(board, () => drawSoon());
const selection = new Selection(board);
const nextCalls = new NextCalls(drawSoon);
const day = new Day(titleOf);
const find = new Find((patientId) => goTo(patientId), titleOf);
const menu = new Menu(board, {
  choose: (queueId, offer) => pressOn(queueId, offer),
  closed: (queueId) => lists.at(queueId)?.querySelector(".more")?.focus({ preventScroll: true }),
});
const presses = new Presses({
  send: ({ method, path, body }, id) => send(method, path, { ...body, action_id: id }),
  newId,
  changed: () => drawSoon(),
  tell,
  rowOf,
  isOnline: () => awaySince === null,
});

// The picture.

function hear({ type, payload, error }) {
  if (type === "board") show(pictureOf(payload), [...payload.entries, ...payload.ended]);
  if (type === "board_update") show(updated(picture, payload), [...payload.rows, ...payload.ended]);
  if (type === "error") complain(error);
}

function show(next, news) {
  const isBack = awaySince !== null;
  picture = next;
  awaySince = null;
  presses.compare(news);
  if (isBack) presses.wake();
  if (news.some(({ patient_id: id }) => id === day.patient)) day.refresh();
  drawSoon();
}

function follow({ open, since }) {
  if (open) return hold.moved(); // the words about the cut have gone, and all rows with them
  awaySince ??= since;
  drawSoon();
}

function drawSoon() {
  frameAsked ||= requestAnimationFrame(draw);
}

function draw() {
  frameAsked = 0;
  if (picture === NOTHING) return;
  const view = viewOf(picture, rules.groups);
  const isOff = awaySince !== null;
  const focus = focusNow();
  const hasMoved = lists.draw(view, {
    itemOf: (row, isNext = false) => itemOf(row, isNext, isOff),
    isHeld: hold.isHeld,
    keyExam: keyExam(),
    isOff,
    pressOf: (row) => row && presses.about(row.queue_id),
    nextCalls,
  });
  sayNext();
  if (hasMoved) hold.moved();
  menu.follow((id) => lists.at(id) !== undefined);
  selection.mark();
  keepFocus(focus);
  document.body.classList.toggle("away", isOff);
  document.getElementById("undo-last").disabled = presses.latest === undefined;
  board.dataset.drawn = picture.at;
}

function itemOf(row, isNext, isOff) {
  const press = presses.about(row.queue_id);
  const isMine = choice.room !== "" && row.room === choice.room;
  const isElsewhere = choice.room !== "" && !isMine && rules.groups[row.state] === "at_hand"; // another room's patient
  return { row, press, pressed: press?.state, isNext, isMine, isElsewhere, isOff, since: ago(rules.groups[row.state] === "line" ? row.opened_at : row.since) };
}

/** Lets a screen reader say whom the key of the next call means now, where others have changed that. */
function sayNext() {
  const row = nextCalls.news(keyExam());
  if (row) sayUnseen("said", _("Next is {number}.", { number: row.queue_number }));
}

function focusNow() {
  const { activeElement: element } = document;
  const row = element.closest("li.row");
  return row && { id: row.dataset.id, press: element.dataset.press, name: element.dataset.name };
}

// A button that was pressed may be another one now. The focus stays with the patient.
function keepFocus(focus) {
  if (!focus || document.activeElement !== document.body) return;
  const row = lists.at(focus.id);
  const same = [...(row?.querySelectorAll("button") ?? [])].find(({ dataset }) => dataset.press === focus.press && dataset.name === focus.name);
  (same ?? row?.querySelector(".name"))?.focus({ preventScroll: true });
}

// Presses.

board.addEventListener("click", ({ target, detail }) => {
  const button = target.closest("[data-press]");
  if (!button) return;
  const { press, name } = button.dataset;
  const id = button.closest("li.row")?.dataset.id;
  // A press with the keyboard (detail 0) belongs to the row with the focus, wherever that has moved.
  if (id && detail > 0 && hold.isLanding) return detail > 1 || complain(_("The line has just moved. Please press again."));
  if (press === "next") return callNext(button.closest(".exam").dataset.exam);
  if (press === "day") return day.open(rowOf(id).patient_id);
  if (press === "more") return menu.open(rowOf(id), rules, button);
  pressOn(id, { kind: press, name });
});

async function pressOn(queueId, { kind, name }) {
  const row = rowOf(queueId);
  const offer = row && offerNamed(row, rules, kind, name);
  if (!offer) return row && complain(_("{who}: that is not possible now.", { who: nameOf(row) }));
  if (isAway()) return;
  const command = await commandOf(row, offer, { rules, room: choice.room, exams });
  if (command && !isAway()) begin(row, offer, command, kind === "undo" ? row.undo.action_id : undefined);
}

function callNext(examId) {
  const row = nextCalls.meant(examId);
  if (!row) return say(_("Nobody to call"));
  if (!mayBeCalled(row, rules)) return complain(_("{who} is in another exam now. Call another one, or delay this one.", { who: nameOf(row) }));
  if (isAway() || nextCalls.isResting) return;
  nextCalls.called();
  if (begin(row, { kind: "next", name: "next" }, nextCommand(row, choice.room))) selection.choose(row.queue_id);
}

/** The exam whose line has the focus, else the first one. */
function keyExam() {
  return document.activeElement?.closest(".exam")?.dataset.exam ?? picture.exams[0]?.exam_id;
}

function undoLast() {
  const done = presses.latest;
  if (!done) return say(_("There is nothing to undo."));
  undoPress(done);
}

function begin(row, offer, command, undoes) {
  const isSent = presses.press({ queueId: row.queue_id, offer, who: nameOf(row), command, at: clockNow(), undoes });
  hold.pass();
  nextCalls.pressed();
  if (!isSent) complainOfWait(nameOf(row));
  return isSent;
}

function complainOfWait(who) {
  complain(_("{who}: the hospital has not answered the press before. Please wait.", { who }));
}

/** Whether nothing is sent, since there is no connection. Says so. */
function isAway() {
  if (awaySince === null) return false;
  complain(_("No connection since {time}. Nothing was sent.", { time: clock(isoOf(awaySince)) }));
  return true;
}

function tell(press, answer) {
  if (press.undoes && ["not_undoable", "not_found"].includes(answer?.code)) presses.forget(press.undoes);
  if (OTHERS_FIRST.includes(answer?.code)) selection.drop(press.queueId);
  if (!answer?.ok) return complain(refusalWords(press, answer));
  const more = press.undoes || !isUndoable(press.offer) ? undefined : { label: _("Undo"), key: "U", onclick: () => undoPress(press) };
  endSaid();
  endSaid = say(doneWords(press.offer, press.who, examOf(press.command)), { more });
}

function undoPress({ id, queueId, who }) {
  if (isAway()) return;
  const press = { queueId, offer: { kind: "undo", name: "undo" }, who, command: undoCommand(id), undoes: id, at: clockNow() };
  if (!presses.press(press)) complainOfWait(who);
}

/** The exam to which a command moves a patient; undefined for others. */
function examOf({ body }) {
  return titleOf(body?.exam_id);
}

/** The name that staff have for an exam; undefined for an unknown one. */
function titleOf(examId) {
  return exams.find(({ exam_id: id }) => id === examId)?.title;
}

function clockNow() {
  return clock(isoOf(centreNow()));
}

function rowOf(id) {
  return picture.rows.get(id) ?? picture.ended.find(({ queue_id: each }) => each === id);
}

function goTo(patientId) {
  const row = [...picture.rows.values()].find(({ patient_id: id }) => id === patientId);
  if (row) selection.focus(row.queue_id);
  else selection.drop();
  day.open(patientId);
}

// What is shown.

async function choose() {
  const chosen = await askChoice(exams, choice, roomsOf(exams));
  if (chosen === null) return picture === NOTHING && sayNoExam();
  choice = chosen;
  keepChoice(choice);
  showChoice();
  if (channel === null) return watch();
  channel.send("watch", { exams: choice.exams });
}

function sayNoExam() {
  document.getElementById("loading").textContent = _("No exam is chosen yet. Choose the exams and the room of this screen.");
}

function showChoice() {
  const room = choice.room ? _("My room: {room}", { room: choice.room }) : _("No room chosen: calls go to the room of the exam");
  document.getElementById("place").textContent = room;
  const shown = new URLSearchParams(choice.exams.map((id) => ["exam_id", id]));
  document.getElementById("worklist").href = `/staff/worklist?${shown}`;
}

function watch() {
  const path = () => `/ws/board/?exams=${choice.exams.map(encodeURIComponent).join(",")}`;
  channel = live(path, { hear, follow });
}

function sayWhen() {
  const words = _("As of {time}. It may be out of date after that.", { time: clock(isoOf(awaySince ?? centreNow())) });
  document.getElementById("printed").textContent = words;
}

// Without a connection, who leaves the page loses the picture: the browser asks first.
function keepPicture(event) {
  if (awaySince !== null && picture !== NOTHING) event.preventDefault();
}

async function start() {
  const answer = await get("/board/exams/");
  if (!answer.ok) {
    complain(answer.error);
    if (answer.status !== 401) setTimeout(start, TICK_MS);
    return;
  }
  exams = answer.body.exams;
  choice = readChoice(exams);
  showChoice();
  if (choice.exams.length) watch();
  else choose();
}

function selected() {
  return rowOf(selection.id);
}

addKeys({
  callNext: () => callNext(keyExam()),
  find: () => find.focus(),
  undoLast,
  move: (step) => selection.move(step),
  press: (kind, name) => (selected() ? pressOn(selection.id, { kind, name }) : say(_("No row is chosen. Choose one with the arrow keys."))),
  day: () => selected() && day.open(selected().patient_id),
  menu: () => selected() && lists.at(selection.id)?.querySelector(".more")?.click(),
  escape: () => day.close(),
});
document.getElementById("choose").addEventListener("click", choose);
document.getElementById("undo-last").addEventListener("click", undoLast);
document.getElementById("print").addEventListener("click", () => window.print());
window.addEventListener("beforeprint", sayWhen);
window.addEventListener("beforeunload", keepPicture);
document.addEventListener("signed-out", () => window.removeEventListener("beforeunload", keepPicture));
setInterval(drawSoon, TICK_MS);
start();
