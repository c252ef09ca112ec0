// The page of a visit. The secret in the fragment opens it; the centre chooses the words, the page translates them.

import { Actions } from "/client/actions.js";
import { waitAfter } from "/client/backoff.js";
import { Channel, TIMES } from "/client/channel.js";

const LOOK_MS = 30_000; // the socket tells of no move in the line
const BACKOFF = { firstMs: 2_000, mostMs: 60_000 };
const API = "/api/v1";
const at = (id) => document.getElementById(id);

let words = { texts: {}, catalogs: [] };
let language = "";
let secret = "";
let model = { kind: "starting" };
let drawn = "";
let failures = 0;
let timer = 0;
let looking = false;

// The page looks at once when the socket tells of a change. Without a socket it looks in its own time.
const channel = new Channel({
  address: () => ({ url: `${location.origin.replace(/^http/, "ws")}/ws/patient-journey/`, protocols: ["bearer", secret] }),
  hear: ({ type }) => type === "state_update" && look(),
  follow: (status) => status === "waiting" && look(),
  times: TIMES,
});
const actions = new Actions(perform);

async function start() {
  const answer = await fetch("/visit/words.json");
  words = await answer.json();
  const tags = words.catalogs.map(({ tag }) => tag);
  language = navigator.languages.map((each) => each.split("-")[0]).find((each) => tags.includes(each)) ?? "en";
  open();
}

/** Begins with the secret of the address. */
function open() {
  secret = location.hash.slice(1);
  model = { kind: "starting" };
  failures = 0;
  channel.close();
  actions.cancel();
  if (secret) look();
  else show({ kind: "no_code" });
}

/** Asks the centre, shows what it says, and looks again later. */
async function look() {
  if (looking) return;
  clearTimeout(timer);
  looking = true;
  const asked = secret;
  const next = await ask().catch(() => ({ ...model, away: true }));
  looking = false;
  if (asked !== secret) return look();
  failures = next.kind === "visit" && !next.away ? 0 : failures + 1;
  show({ ...next, busy: model.busy, trouble: troubleAt(next) });
  if (next.kind === "ended") return channel.close();
  if (next.kind === "visit" && !next.away) channel.open();
  lookIn(failures ? BACKOFF.firstMs + waitAfter(failures, BACKOFF) : LOOK_MS);
}

/** What became of a press stays in sight while nothing else is said; that nobody answered, while nobody answers. */
function troubleAt(next) {
  const isSame = JSON.stringify(next.visit?.said) === JSON.stringify(model.visit?.said);
  return isSame && (model.trouble === "refused" || next.away) ? model.trouble : "";
}

// A page that nobody sees asks nothing. It looks at once when it is seen again.
function lookIn(ms) {
  clearTimeout(timer);
  timer = setTimeout(() => document.hidden || look(), ms);
}

async function ask() {
  const answer = await call("GET", "/visit/");
  const body = await answer.json();
  if (answer.ok) return { kind: "visit", visit: body };
  if (body.code === "visit_unknown") return { kind: "unknown" };
  if (answer.status === 401) return { kind: "ended" };
  return { ...model, away: true };
}

function call(method, path, body) {
  const headers = { Authorization: `Bearer ${secret}` };
  if (body) headers["Content-Type"] = "application/json";
  return fetch(API + path, { method, headers, body: body && JSON.stringify(body), cache: "no-store" });
}

async function press(action) {
  if (model.busy) return;
  show({ ...model, busy: true, trouble: "" });
  // A further press at the same place in line is the same action, until it is answered.
  const occasion = [action, ...model.visit.lines.map((line) => line.queue_number)].join(" ");
  const outcome = await actions.act(occasion, { action_type: action, payload: {} });
  show({ ...model, busy: false, trouble: outcome === null ? "away" : outcome });
  look();
}

/** Tries an action once. Its outcome is a trouble of the page, or none. */
async function perform(action) {
  const answer = await call("POST", "/patient-journey/perform-action/", action).catch(() => null);
  if (!answer || answer.status >= 500) return { answer: null };
  return { answer: answer.ok ? "" : "refused" };
}

function show(next) {
  model = next;
  document.documentElement.lang = language;
  document.title = at("name").textContent = own("name");
  at("foot").textContent = model.kind === "visit" ? own("as_of", { time: clock(model.visit.timestamp) }) : "";
  // A screen reader reads what is drawn again, and a finger may be on it.
  const said = JSON.stringify([language, model], (name, value) => (name === "timestamp" ? undefined : value));
  if (said === drawn) return;
  drawn = said;
  at("languages").replaceChildren(...words.catalogs.map(choice));
  at("content").replaceChildren(...SCREENS[model.kind]().filter(Boolean));
}

const SCREENS = {
  starting: () => [model.away && element("p", "bad", own("away"))],
  no_code: () => [element("h1", "", own("no_code")), element("p", "lead", own("no_code_lead"))],
  unknown: () => [
    element("h1", "", own("unknown")),
    element("p", "lead", own("unknown_lead")),
    model.away && element("p", "bad", own("away")),
    element("p", "note", own("unknown_note")),
  ],
  ended: () => [element("h1", "", own("ended")), element("p", "lead", own("ended_lead"))],
  visit: () => {
    const { said, lines, buttons } = model.visit;
    return [
      element("h1", "", text(said.title)),
      element("p", "lead", text(said.lead)),
      said.where && element("p", "where", text(said.where)),
      model.away && element("p", "bad", own("away")),
      model.trouble && element("p", "bad", own(model.trouble)),
      ...lines.map(ticket),
      ...buttons.map(button),
    ];
  },
};

function ticket(line) {
  const room = line.current ? "" : line.room; // the words above name it
  const place = [line.exam_name, room].filter(Boolean).join(" · ");
  const rest = [line.word, line.ahead, line.wait, line.also].filter(Boolean).map(text).join(" · ");
  const found = element("section", line.current ? "ticket current" : "ticket");
  found.append(element("p", "number", line.queue_number), element("p", "", place), element("p", "", rest));
  return found;
}

function button({ action_type: action, label }) {
  const found = element("button", "", model.busy ? own("busy") : text(label));
  found.dataset.action = action;
  found.disabled = Boolean(model.busy);
  found.onclick = () => press(action);
  return found;
}

function choice({ tag }) {
  const found = element("button", "", new Intl.DisplayNames([tag], { type: "language" }).of(tag));
  found.lang = tag;
  found.setAttribute("aria-pressed", String(tag === language));
  found.onclick = () => {
    language = tag;
    show(model);
  };
  return found;
}

function element(tag, name, content = "") {
  const found = document.createElement(tag);
  if (name) found.className = name;
  found.textContent = content;
  return found;
}

function own(name, values = {}) {
  return text({ text: words.texts[name] ?? "", values });
}

function text({ text: english, values = {}, many, n }) {
  const messages = words.catalogs.find(({ tag }) => tag === language)?.messages ?? {};
  const found = messages[english];
  const chosen = many ? plural(found ?? [english, many], n) : (found ?? english);
  const put = many ? { n: n.toLocaleString(language), ...values } : values;
  return chosen.replace(/\{(\w+)\}/g, (whole, name) => put[name] ?? whole);
}

function plural(forms, n) {
  const rules = new Intl.PluralRules(language);
  const form = rules.resolvedOptions().pluralCategories.indexOf(rules.select(n));
  return forms[Math.min(Math.max(form, 0), forms.length - 1)];
}

function clock(moment) {
  const [, hours, minutes] = /T(\d\d):(\d\d)/.exec(moment);
  const format = new Intl.DateTimeFormat(language, { hour: "numeric", minute: "2-digit", timeZone: "UTC" });
  return format.format(Date.UTC(2000, 0, 1, Number(hours), Number(minutes)));
}

window.addEventListener("hashchange", open);
// A telephone that comes out of a pocket shows what is true now.
document.addEventListener("visibilitychange", () => !document.hidden && secret && model.kind !== "ended" && look());
begin();

function begin() {
  start().catch(() => setTimeout(begin, BACKOFF.firstMs));
}
