// The access log: a search, its rows page by page, a file of them, and a printed answer to "who has seen this patient?".

import { h } from "/page/dom.js";
import { _, ngettext } from "/page/words.js";
import { post } from "./api.js";
import { key } from "./keys.js";
import { startChain } from "./log_chain.js";
import { csvOf } from "./log_file.js";
import { drawRows } from "./log_rows.js";
import { GROUPS, KINDS } from "./log_words.js";
import { complain, hear, say } from "./say.js";
import { centreNow } from "./start.js";
import { dayAndTime, isoOf } from "./time.js";

const at = (id) => document.getElementById(id);
const form = at("search");
const MOST_PAGES = 200; // of a file or a print: a hundred thousand rows

let asked = {}; // the search whose rows are shown
let shown = { rows: [], before: null, names: {}, asked: [], doers: {} };
let running = 0;

/** Asks for the newest rows. `keepFocus`: the page has just opened. */
async function search({ keepFocus = false } = {}) {
  const mine = (running += 1);
  asked = Object.fromEntries(new FormData(form));
  at("found").setAttribute("aria-busy", "true");
  const answer = await post("/access-log/search/", { ...asked, limit: 100 });
  if (mine !== running) return; // another search was begun since
  at("found").removeAttribute("aria-busy");
  if (!answer.ok) return complain(answer.error);
  shown = merge({ rows: [], names: {}, doers: {} }, answer.body);
  draw();
  hear("said", at("found-title").textContent);
  if (!keepFocus) at("found-title").focus();
}

async function older() {
  const mine = running;
  at("older").disabled = true;
  const answer = await post("/access-log/search/", { ...asked, limit: 100, before: shown.before });
  at("older").disabled = false;
  if (mine !== running) return;
  if (!answer.ok) return complain(answer.error);
  const before = shown.rows.length;
  shown = merge(shown, answer.body);
  draw();
  at("rows").querySelectorAll("tbody tr")[before]?.querySelector("th").focus();
}

/** Rows with those that follow, the newest first. A page comes the oldest first. */
function merge(sofar, page) {
  return { ...page, rows: [...sofar.rows, ...page.rows.toReversed()], names: { ...sofar.names, ...page.names }, doers: { ...sofar.doers, ...page.doers } };
}

function draw() {
  at("found-title").textContent = titleOf(shown);
  at("rows").replaceChildren(drawRows(shown));
  at("older").hidden = !shown.before;
  for (const id of ["print", "save"]) at(id).disabled = !shown.rows.length;
}

function titleOf({ rows, before, asked: ids, names }) {
  const name = ids.map((id) => names[id] && `${names[id]} (${id})`).find(Boolean);
  const number = before ? _("{n} rows and more", { n: String(rows.length) }) : ngettext("{n} row", "{n} rows", rows.length);
  return name ? _("{patient}: {number}", { patient: name, number }) : number;
}

/** All rows of the present search; null where the centre did not answer. It leaves rows of an export in the log. */
async function whole() {
  let all = { rows: [], names: {}, before: undefined };
  for (let page = 0; page < MOST_PAGES && all.before !== null; page += 1) {
    const answer = await post("/access-log/search/", { ...asked, before: all.before, export: true });
    if (!answer.ok) {
      complain(answer.error);
      return null;
    }
    all = merge(all, answer.body);
  }
  if (all.before) complain(_("There are more rows than fit. Please choose a shorter time."));
  return all.before ? null : all;
}

/** Does something with all rows, with the button out of use meanwhile. */
async function withAll(button, act) {
  button.disabled = true;
  const all = await whole();
  button.disabled = false;
  if (all) act(all);
  button.focus();
}

function save(all) {
  const url = URL.createObjectURL(new Blob([csvOf(all)], { type: "text/csv;charset=utf-8" }));
  h("a", { href: url, download: `access-log-${isoOf(centreNow()).slice(0, 10)}.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  say(ngettext("{n} row was saved.", "{n} rows were saved.", all.rows.length));
}

function print(all) {
  shown = all;
  draw();
  const parts = [
    all.asked.length ? _("Who has seen this patient's data") : _("Who has seen patients' data"),
    asked.since && _("From {day}", { day: dayAndTime(asked.since) }),
    asked.until && _("To {day}", { day: dayAndTime(asked.until) }),
    _("Printed {time}", { time: dayAndTime(isoOf(centreNow())) }),
    at("chain-state").textContent,
  ];
  at("found-printed").textContent = parts.filter(Boolean).join(" · ");
  window.print();
}

function fillKinds() {
  const choice = (value, text) => h("option", { value }, text);
  const groups = GROUPS.map(([label, whole, begins]) => {
    const kinds = Object.keys(KINDS).filter(begins);
    return h("optgroup", { label: _(label) }, whole && choice(whole, _("All of these")), kinds.map((kind) => choice(kind, _(KINDS[kind]))));
  });
  at("kind").append(choice("", _("Everything")), ...groups);
}

form.addEventListener("submit", (event) => (event.preventDefault(), search()));
form.addEventListener("reset", () => setTimeout(() => (search({ keepFocus: true }), at("patient").focus())));
at("older").addEventListener("click", older);
at("save").addEventListener("click", () => withAll(at("save"), save));
at("print").addEventListener("click", () => withAll(at("print"), print));
key("/", _("Search"), () => at("patient").focus());
key("o", _("Show older rows"), () => at("older").hidden || older());
key("v", _("Verify now"), () => at("verify").click());
fillKinds();
startChain();
search({ keepFocus: true });
