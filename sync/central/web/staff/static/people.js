// The people who sign in, for those who administer: invite, change, reset, unlock, disable, end sessions.

import { fill, h } from "/page/dom.js";
import { N_, _, ngettext } from "/page/words.js";
import { get, post, send } from "./api.js";
import { ask, show } from "./dialog.js";
import { DUTIES, dutyName, dutyOpens } from "./duties.js";
import { complain, say } from "./say.js";
import { dayAndTime, isoOf } from "./time.js";

const at = (id) => document.getElementById(id);
const timeOf = (ms) => dayAndTime(isoOf(ms));
const SENTENCES = {
  last_administrator: N_("This is the last administrator. Make another person an administrator first."),
  not_applicable: N_("That is not possible for this account. Choose another password for your own at your name."),
};
const own = document.querySelector(".me").dataset.login;
let shown = { people: [], invitations: [], now_ms: 0 };

async function load() {
  const answer = await get("/people/");
  at("people").ariaBusy = "false";
  if (!answer.ok) return complain(answer.error);
  shown = answer.body;
  draw();
}

function draw() {
  const wanted = at("filter").value.trim().toLowerCase();
  const found = shown.people.filter(({ name, login }) => `${name} ${login}`.toLowerCase().includes(wanted));
  fill(at("people"), found.length ? found.map(card) : h("li", { class: "card" }, _("Nobody has such a name.")));
  at("invitations-part").hidden = shown.invitations.length === 0;
  fill(at("invitations"), shown.invitations.map(invitation));
}

function card(person) {
  const { account_id, name, login, duties, sessions } = person;
  const used = person.signed_in_ms ? _("Last sign-in {time}", { time: timeOf(person.signed_in_ms) }) : _("Never signed in");
  const here = sessions.length > 0 && ngettext("signed in at {n} place", "signed in at {n} places", sessions.length);
  return h(
    "li",
    { class: "card person-card", "data-login": login },
    h("div", { class: "stack" }, h("h3", {}, name, " ", h("span", { class: "login" }, login)), h("p", {}, duties.map((each) => h("span", { class: "badge" }, dutyName(each)))), states(person), h("p", { class: "hint" }, [used, here].filter(Boolean).join(", "))),
    h("div", { class: "buttons" }, buttons(person).map(([id, label, act, kind = ""]) => press(`${account_id} ${id}`, `small ${kind}`, label, name, act))),
  );
}

function states({ is_disabled, locked_until_ms, has_password, by_provider, code_id, code_expires_ms }) {
  const found = [
    is_disabled && ["bad", _("Disabled")],
    locked_until_ms && ["bad", _("Locked until {time}: too many wrong passwords", { time: timeOf(locked_until_ms) })],
    code_id && ["mild", _("One-time code given, good until {time}", { time: timeOf(code_expires_ms) })],
    !has_password && !by_provider && !code_id && ["bad", _("No password, and no code that is still good")],
    by_provider && ["", _("Single sign-on")],
  ].filter(Boolean);
  return found.length > 0 && h("p", {}, found.map(([kind, text]) => h("span", { class: `badge ${kind}` }, text)));
}

function buttons(person) {
  return [
    ["change", _("Change"), () => change(person)],
    !person.by_provider && person.login !== own && ["reset", _("New password"), () => reset(person)],
    person.locked_until_ms && ["unlock", _("Unlock"), () => act(post(`/people/${person.account_id}/unlock/`), _("{name} can try again.", person))],
    person.sessions.length > 0 && ["end", _("Sign out everywhere"), () => endAll(person)],
    person.is_disabled ? ["enable", _("Enable"), () => use(person, false)] : ["disable", _("Disable"), () => disable(person), "danger"],
  ].filter(Boolean);
}

/** A button that names the person to those who hear it. */
function press(id, kind, label, name, onclick) {
  return h("button", { type: "button", class: kind, "data-name": id, "aria-label": `${label}: ${name}`, onclick }, label);
}

function invitation({ code_id, name, duties, expires_ms }) {
  const text = _("{name}: {duties}. Good until {time}.", { name: name || _("No name"), duties: duties.map(dutyName).join(", "), time: timeOf(expires_ms) });
  const withdraw = () => act(send("DELETE", `/people/codes/${code_id}/`), _("The invitation is withdrawn."));
  return h("li", { class: "card person-card" }, h("p", {}, text), h("div", { class: "buttons" }, press(code_id, "small", _("Withdraw"), name || _("No name"), withdraw)));
}

async function act(pending, text) {
  const answer = await pending;
  if (answer.ok) say(text);
  else complain(SENTENCES[answer.code] ? _(SENTENCES[answer.code]) : answer.error);
  await load();
  return answer;
}

const change_ = (person, body, text) => act(send("PATCH", `/people/${person.account_id}/`, body), text);
const use = (person, is_disabled) => change_(person, { is_disabled }, is_disabled ? _("{name} is disabled.", person) : _("{name} is enabled.", person));

async function disable(person) {
  const text = _("{name} is signed out at once and can sign in no more until the account is enabled.", person);
  if (await ask({ title: _("Disable this account?"), text, confirm: _("Disable"), kind: "danger" })) await use(person, true);
}

async function endAll(person) {
  const text = _("{name} is signed out at all places at once.", person);
  if (await ask({ title: _("Sign out everywhere?"), text, confirm: _("Sign out everywhere") })) {
    await act(send("DELETE", `/people/${person.account_id}/sessions/`), _("{name} is signed out.", person));
  }
}

const dutyFields = (held) => DUTIES.map((duty) => ({ name: duty, kind: "check", label: dutyName(duty), hint: dutyOpens(duty), value: held.includes(duty) }));
const dutiesOf = (values) => DUTIES.filter((duty) => values[duty]);
const oneDuty = (values) => (dutiesOf(values).length ? "" : _("Please choose one duty at least."));

async function change(person) {
  const fields = [{ name: "name", label: _("Name"), value: person.name, required: true, max: 60 }, ...(person.by_provider ? [] : dutyFields(person.duties))];
  const text = person.by_provider ? _("Name and duties come from single sign-on at each sign-in.") : _("Other duties sign {name} out.", person);
  const check = person.by_provider ? undefined : oneDuty;
  const values = await ask({ title: _("Change {login}", person), text, fields, confirm: _("Save"), check });
  if (!values) return;
  const duties = person.by_provider ? person.duties : dutiesOf(values);
  const isSame = duties.join() === person.duties.join();
  await change_(person, { name: values.name, ...(isSame ? {} : { duties }) }, _("Saved."));
}

async function invite() {
  const fields = [{ name: "name", label: _("Name"), max: 60, hint: _("May be left empty for the person to say.") }, ...dutyFields([])];
  const values = await ask({ title: _("Invite a person"), fields, confirm: _("Make a code"), check: oneDuty });
  if (!values) return;
  const answer = await post("/people/invitations/", { name: values.name, duties: dutiesOf(values) });
  tell(answer, values.name);
}

async function reset(person) {
  const text = _("The present password ends at once, and {name} is signed out. A one-time code lets {name} choose another password.", person);
  if (!(await ask({ title: _("Take the password away?"), text, confirm: _("Make a code"), kind: "danger" }))) return;
  tell(await post(`/people/${person.account_id}/reset/`), person.name);
}

function tell(answer, name) {
  if (!answer.ok) {
    complain(SENTENCES[answer.code] ? _(SENTENCES[answer.code]) : answer.error);
    return load();
  }
  const { code, expires_ms } = answer.body;
  const place = `${location.origin}/staff/welcome`;
  const content = [
    h("p", {}, name ? _("Give this code to {name}, by hand or by telephone:", { name }) : _("Give this code to the person, by hand or by telephone:")),
    h("p", { class: "code", id: "shown-code" }, code),
    h("p", {}, _("It is typed at {place}, once, until {time}. It is not shown again.", { place, time: timeOf(expires_ms) })),
  ];
  show({ title: _("One-time code"), content });
  return load();
}

at("invite").onclick = invite;
at("filter").oninput = draw;
await load();
