// The exception inbox: the cases as they come and go, one of them in words, and its settlement.

import { fill, h } from "/page/dom.js";
import { _ } from "/page/words.js";
import { get } from "./api.js";
import { badge } from "./badge.js";
import { discardAll, groupOf, repeatsPart } from "./inbox_bulk.js";
import { caseParts } from "./inbox_case.js";
import { drawFilter, drawList } from "./inbox_list.js";
import { settledWord } from "./inbox_names.js";
import { confirmed, settleParts } from "./inbox_settle.js";
import { Settling } from "./inbox_settling.js";
import { key } from "./keys.js";
import { live } from "./live.js";
import { complain, say } from "./say.js";

const PAGE = 100;
const TICK_MS = 30_000;
const SOON_MS = 150; // several changes at once are one reading
const article = document.getElementById("case");
const total = document.getElementById("open-count");
const filterForm = document.getElementById("filter");

const view = { tab: "open", filter: {}, cases: [], more: 0, isLoaded: false, counts: null, chosen: location.hash.slice(1) || null, shown: null, gone: "", viewers: [], viewerId: "", isAway: true };
let settling = null;
let channel = null;
let listTimer = 0;
let listAsked = 0;
let caseAsked = 0;

// Reading.

async function readList({ further = false, unattended = false } = {}) {
  const asked = (listAsked += 1);
  const after = further ? view.cases.at(-1)?.exception_id : undefined;
  const limit = further ? PAGE : Math.min(500, Math.max(PAGE, view.cases.length));
  const path = view.tab === "open" ? "/exceptions/" : "/exceptions/settled/";
  const [found, counts] = await Promise.all([get(path, { ...(view.tab === "open" ? view.filter : {}), limit, after }, { unattended }), get("/exceptions/count/", {}, { unattended })]);
  if (asked !== listAsked) return;
  if (!found.ok) return complain(found.error);
  view.cases = further ? [...view.cases, ...found.body.exceptions] : found.body.exceptions;
  view.more = found.body.more;
  view.isLoaded = true;
  if (counts.ok) view.counts = counts.body;
  drawAll();
}

async function readCase({ unattended = false } = {}) {
  const id = view.chosen;
  const asked = (caseAsked += 1);
  if (!id) return showCase(null);
  const answer = await get(`/exceptions/${encodeURIComponent(id)}/`, {}, { unattended });
  if (asked !== caseAsked) return;
  if (answer.ok) return showCase(answer.body, "", unattended);
  if (answer.status === 404) return showCase(null, _("There is no such case any more."));
  complain(answer.error);
}

function showCase(shown, gone = "", unattended = false) {
  const before = view.shown;
  const isSame = before?.exception_id === shown?.exception_id;
  if (isSame && shown?.settled_at && !before.settled_at) tellSettled(shown);
  view.shown = shown;
  view.gone = gone;
  if (shown && isSame && settling) settling.take(shown, unattended);
  else settling = shown && new Settling(shown, { changed: drawCase, chosen: sayLook });
  drawAll();
}

let ownCase = ""; // the case that this page has settled itself: it is told so already

function tellSettled({ exception_id: id, settled_by_name: by, settlement }) {
  if (id !== ownCase) say(_("{name} has settled this case: {how}", { name: by, how: settledWord(settlement.how) }), { kind: "mild" });
}

// Drawing.

function others() {
  return view.viewers.filter(({ viewer_id: id }) => id !== view.viewerId);
}

function drawAll() {
  total.hidden = !view.counts;
  total.textContent = view.counts ? String(view.counts.open) : "";
  if (view.counts) badge(view.counts.open);
  for (const each of document.querySelectorAll("[data-tab]")) each.setAttribute("aria-pressed", String(each.dataset.tab === view.tab));
  filterForm.hidden = view.tab !== "open";
  if (view.counts) drawFilter(view.counts.groups, view.filter);
  drawList({ ...view, viewers: others(), filtered: Object.values(view.filter).some(Boolean) });
  drawCase();
}

function drawCase() {
  const { shown, chosen, gone } = view;
  if (!shown) return fill(article, h("p", { class: "hint" }, gone || (chosen ? _("The case is being loaded.") : _("Choose a case from the list."))));
  const names = others().filter(({ exception_id: id }) => id === shown.exception_id).map(({ name }) => name);
  // Each part in a frame of its own: what comes into the upper one moves no field in which somebody writes.
  const told = h("div", { class: "stack" }, caseParts(shown, names));
  const ways = h("div", { class: "stack" }, settleParts(settling, { isAway: view.isAway, repeats: repeatsPart(groupOf(view.counts, shown)) }));
  const back = h("p", { class: "back" }, h("button", { type: "button", class: "quiet", "data-do": "back", "data-name": "back" }, _("Back to the list")));
  fill(article, back, told, ways);
}

// Doing.

function open(id, { focus = true } = {}) {
  if (view.chosen !== id) {
    view.chosen = id;
    view.shown = null;
    settling = null;
    history.replaceState(null, "", id ? `#${id}` : location.pathname);
    sayLook();
  }
  drawAll();
  readCase();
  if (id && focus) article.focus({ preventScroll: true });
  if (id && focus && isOutOfSight(article)) article.scrollIntoView();
}

function isOutOfSight(element) {
  const { top } = element.getBoundingClientRect();
  return top < 0 || top > innerHeight / 2;
}

function move(step) {
  const place = view.cases.findIndex((each) => each.exception_id === view.chosen);
  const next = view.cases[Math.min(Math.max(place + step, 0), view.cases.length - 1)];
  if (next && next.exception_id !== view.chosen) open(next.exception_id);
  document.querySelector("[data-case][aria-current]")?.scrollIntoView({ block: "nearest" });
}

async function settle(how) {
  const current = settling;
  if (!current?.may.includes(how)) return;
  if (view.isAway) return complain(_("There is no connection to the centre. Nothing was sent."));
  if (how === "reassign" && !current.patient) return document.getElementById("find")?.focus();
  if (!current.isReady(how)) return;
  const wish = await confirmed(current, how);
  if (!wish || current !== settling) return;
  if (view.isAway) return complain(_("There is no connection to the centre. Nothing was sent."));
  ownCase = current.exceptionId;
  const answer = await current.settle(wish);
  if (answer.ok) return settled(current.exceptionId, how);
  ownCase = "";
  complain(answer.code === "case_changed" ? _("Something has changed since you looked. Nothing was done. Please look again at what it would do.") : answer.error);
  readCase();
}

/** Goes on to the case that stands in the place of the one that was settled. */
function settled(id, how) {
  say(_("Settled: {how}", { how: settledWord(how) }));
  const place = view.cases.findIndex((each) => each.exception_id === id);
  const rest = view.cases.filter((each) => each.exception_id !== id);
  if (view.tab === "open") view.cases = rest;
  if (view.chosen === id) open(rest[Math.min(Math.max(place, 0), rest.length - 1)]?.exception_id ?? null);
  readList();
}

async function settleAll() {
  const group = view.shown && groupOf(view.counts, view.shown);
  if (!group || view.isAway) return;
  const result = await discardAll(group);
  if (!result) return;
  if (result.failed) complain(result.failed);
  else say(result.said);
  readList();
  readCase();
}

const DEEDS = {
  open: ({ dataset }) => open(dataset.case),
  more: () => readList({ further: true }),
  back: () => (document.querySelector("[data-case][aria-current]") ?? document.querySelector('[data-tab][aria-pressed="true"]')).focus(),
  settle: ({ dataset }) => settle(dataset.how),
  choose: ({ dataset }) => settling.choose(settling.found.find((each) => each.patient_id === dataset.patient)),
  unchoose: () => settling.choose(null),
  bind: ({ checked }) => settling.setBind(checked),
  "discard-all": settleAll,
};

document.addEventListener("click", (event) => {
  const tab = event.target.closest("[data-tab]");
  if (tab) return showTab(tab.dataset.tab);
  const element = event.target.closest("[data-do]");
  if (element && element.getAttribute("aria-disabled") !== "true") DEEDS[element.dataset.do](element);
});

document.addEventListener("submit", (event) => {
  if (event.target.dataset.form !== "find") return;
  event.preventDefault();
  settling?.search(document.getElementById("find").value);
});

filterForm.addEventListener("change", () => {
  view.filter = Object.fromEntries(new FormData(filterForm));
  view.cases = [];
  view.isLoaded = false;
  readList();
});

function showTab(tab) {
  if (tab === view.tab) return;
  Object.assign(view, { tab, cases: [], more: 0, isLoaded: false });
  drawAll();
  readList();
}

// Live.

/** Says which case is shown, and which patient was found for it: what changes of them comes as news. */
function sayLook() {
  channel?.send("look", { exception_id: view.chosen, patient_id: settling?.patient?.patient_id ?? null });
}

function hear({ type, payload }) {
  if (type !== "inbox" && type !== "inbox_update") return;
  Object.assign(view, { viewers: payload.viewers, viewerId: payload.viewer_id });
  const changed = type === "inbox" ? null : payload.changed;
  drawAll();
  if (changed && !changed.length) return;
  clearTimeout(listTimer);
  listTimer = setTimeout(() => readList({ unattended: true }), SOON_MS);
  if (view.chosen && (!changed || changed.includes(view.chosen))) readCase({ unattended: true });
}

function follow({ open: isOpen }) {
  view.isAway = !isOpen;
  if (isOpen && view.chosen) sayLook();
  drawCase();
}

key("ArrowDown", _("Next case"), () => move(1));
key("ArrowUp", _("Case before"), () => move(-1));
key("a", _("It counts"), () => settle("apply"));
key("r", _("Assign to a patient"), () => settle("reassign"));
key("d", _("It does not count"), () => settle("discard"));
key("o", _("Open cases, or those settled today"), () => showTab(view.tab === "open" ? "settled" : "open"));
key("f", _("Choose a kind"), () => document.getElementById("filter-code").focus());

window.addEventListener("hashchange", () => open(location.hash.slice(1) || null));
setInterval(drawAll, TICK_MS);
readList();
if (view.chosen) readCase();
channel = live(() => "/ws/inbox/", { hear, follow });
