// What only some kinds of cases have: two answers, two visits, a moved booking, steps that stayed, an unread record.

import { h } from "/page/dom.js";
import { _ } from "/page/words.js";
import { stepWord, whyKept } from "./inbox_names.js";
import { titleOf } from "./inbox_words.js";
import { bookingWord, journeyWord } from "./states.js";
import { dayAndTime } from "./time.js";

const SAID = new Set(["action_type", "happened_at", "time_quality", "shown", "known", "conflict", "said", "said_before", "acts", "why", "before", "after", "journey_states"]);

/** The further parts of a case. */
export function moreOf(shown) {
  const { detail } = shown;
  return [answers(detail), visits(detail), moved(shown), kept(detail), number(detail), waiting(shown), technical(shown)];
}

function answers({ said, said_before: before }) {
  if (!said && !before) return null;
  const rows = [
    [_("First answers, which count"), before],
    [_("Later answers"), said],
  ];
  return section(_("The answers"), table(rows.map(([name, value]) => [name, plain(value)])));
}

function visits({ journey_states: states }) {
  if (!states) return null;
  const [kept, ended] = states;
  const rows = [
    [_("Visit that goes on"), journeyWord(kept)],
    [_("Visit that ended"), journeyWord(ended)],
  ];
  return section(_("The visits"), table(rows));
}

function moved({ detail: { before, after }, exams }) {
  if (!before || !after) return null;
  const words = (each) => `${exams[each.exam_id] ?? each.exam_id} · ${dayAndTime(each.scheduled_at ?? each.site_day)} · ${bookingWord(each.status)}`;
  return section(_("The booking"), table([[_("Before"), words(before)], [_("Now"), words(after)]]));
}

function kept({ acts }) {
  if (!acts) return null;
  const rows = acts.map((each) => [dayAndTime(each.received_at), `${journeyWord(each.from_state)} → ${journeyWord(each.to_state)}: ${whyKept(each.why)}`]);
  return section(_("The steps that stayed"), table(rows));
}

function number({ queue_number: found, queue_ids: twins }) {
  return twins ? section(_("The number"), h("p", { class: "number" }, found)) : null;
}

function waiting({ actions }) {
  if (actions.length < 2) return null;
  const rows = actions.map((each) => h("li", {}, `${stepWord(each.action_type)} · ${dayAndTime(each.received_at)}${each.queue_number && ` · ${each.queue_number}`}: ${titleOf(each.code)}`));
  return section(_("All steps in this case"), h("ol", {}, rows));
}

/** What tells IT more, and a nurse nothing. */
function technical({ detail, quarantined, exception_id: id, code, action_id: actionId, visit_id: visitId }) {
  const rest = Object.entries(detail).filter(([name]) => !SAID.has(name));
  const rows = [["exception_id", id], ["code", code], actionId && ["action_id", actionId], visitId && ["visit_id", visitId], ...rest, quarantined && ["reason", quarantined.reason]];
  const lines = rows.filter(Boolean).map(([name, value]) => [name, plain(value)]);
  return h(
    "details",
    { id: "technical", open: Boolean(document.getElementById("technical")?.open) },
    h("summary", {}, _("Details for IT")),
    h("div", { lang: "en" }, table(lines), quarantined && h("pre", { tabindex: "0" }, quarantined.body)),
  );
}

const section = (title, content) => h("section", {}, h("h3", {}, title), content);

function table(rows) {
  return h("table", {}, h("tbody", {}, rows.map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, value)))));
}

/** A value without the signs of a program, as far as it can be. */
function plain(value) {
  if (value === null || typeof value !== "object") return String(value);
  if (Array.isArray(value)) return value.map(plain).join(", ");
  return Object.entries(value).map(([name, each]) => `${name}: ${plain(each)}`).join("; ");
}
