// The page of the worklists: which exams are on paper, and the sheets as they will be printed.

import { fill, h } from "/page/dom.js";
import { _ } from "/page/words.js";
import { get } from "./api.js";
import { readChoice } from "./board_choice.js";
import { complain, hear } from "./say.js";
import { asOf, sheet } from "./worklist_sheet.js";

const at = (id) => document.getElementById(id);
const wanted = new Set(new URLSearchParams(location.search).getAll("exam_id"));
const lists = new Map(); // the worklist of each exam that is on paper, as it was read last
let newest = 0; // the number of the last reading: an earlier answer that comes later is dropped

async function start() {
  const answer = await get("/board/exams/");
  if (!answer.ok) return complain(answer.error, { label: _("Try again"), onclick: start });
  const known = new Set(answer.body.exams.map((exam) => exam.exam_id));
  for (const id of wanted) if (!known.has(id)) wanted.delete(id);
  // Without a word in the address, the exams of this browser's board.
  if (!location.search) for (const id of readChoice(answer.body.exams).exams) wanted.add(id);
  fill(at("exams"), ...answer.body.exams.map(choiceOf));
  return read();
}

function choiceOf({ exam_id, title }) {
  const box = h("input", { type: "checkbox", value: exam_id, checked: wanted.has(exam_id), onchange: () => choose(exam_id, box.checked) });
  return h("label", {}, box, title);
}

function choose(exam_id, isWanted) {
  if (isWanted) wanted.add(exam_id);
  else wanted.delete(exam_id);
  const query = new URLSearchParams([...wanted].map((id) => ["exam_id", id]));
  history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
  draw();
  return isWanted ? read() : undefined;
}

async function read() {
  const own = (newest += 1);
  const answers = await Promise.all([...wanted].map((exam_id) => get("/board/worklist/", { exam_id })));
  if (own !== newest) return;
  for (const answer of answers) if (answer.ok) lists.set(answer.body.exam_id, answer.body);
  draw();
  const latest = answers.findLast((answer) => answer.ok);
  if (latest) hear("said", asOf(latest.body));
  const failed = answers.find((answer) => !answer.ok);
  if (failed) complain(failed.error, { label: _("Try again"), onclick: read });
}

function draw() {
  const shown = [...at("exams").querySelectorAll("input:checked")].map((box) => lists.get(box.value)).filter(Boolean);
  const withDone = at("with-done").checked;
  fill(at("sheets"), ...shown.map((list) => sheet(list, { withDone })));
  if (wanted.size === 0) fill(at("sheets"), h("p", { class: "notice" }, _("Choose an exam. Its sheet appears here, as it will be printed.")));
  at("print").disabled = shown.length === 0;
}

at("choice").addEventListener("submit", (event) => event.preventDefault());
at("with-done").addEventListener("change", draw);
at("again").addEventListener("click", read);
at("print").addEventListener("click", () => window.print());
draw();
start();
