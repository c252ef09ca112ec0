// One's own account: who one is, another password, and where one is signed in.

import { fill, h } from "/page/dom.js";
import { _ } from "/page/words.js";
import { get, send } from "./api.js";
import { dutyName } from "./duties.js";
import { letShow, onSubmit } from "./password.js";
import { complain, say } from "./say.js";
import { dayAndTime, isoOf } from "./time.js";

const at = (id) => document.getElementById(id);

async function show() {
  const [me, mine] = await Promise.all([get("/me/"), get("/me/sessions/")]);
  at("who").ariaBusy = at("sessions").ariaBusy = "false";
  if (!me.ok || !mine.ok) return complain((me.ok ? mine : me).error);
  const pairs = [
    [_("Name"), me.body.name],
    [_("Login name"), me.body.login],
    [_("Duties"), me.body.duties.map(dutyName).join(", ")],
  ];
  fill(at("who"), pairs.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
  at("login").value = me.body.login;
  at("password-form").hidden = !me.body.has_password;
  fill(at("sessions"), mine.body.sessions.map((each) => row(each, each.session_id === mine.body.session_id)));
}

function row({ session_id, created_ms, seen_ms }, isThis) {
  const since = _("since {time}, last used {seen}", { time: dayAndTime(isoOf(created_ms)), seen: dayAndTime(isoOf(seen_ms)) });
  const end = h("button", { type: "button", class: "small", "data-name": session_id, "aria-label": `${_("End")}: ${since}`, onclick: () => endSession(session_id) }, _("End"));
  return h("li", {}, h("span", {}, isThis && h("strong", {}, _("Here")), isThis && ", ", since), !isThis && end);
}

async function endSession(id) {
  const answer = await send("DELETE", `/me/sessions/${id}/`);
  if (answer.ok || answer.code === "not_found") say(_("That session has ended."));
  else complain(answer.error);
  await show();
}

const form = at("password-form");
letShow(form);
onSubmit(
  form,
  at("fault"),
  "/me/password/",
  () => {
    const [current, password] = [at("current").value, at("password").value];
    return current && password ? { current, password } : _("Please fill in both fields.");
  },
  // The session is a new one, so the page has to be loaded again.
  () => (history.replaceState(null, "", "#changed"), location.reload()),
);

if (location.hash === "#changed") {
  history.replaceState(null, "", location.pathname);
  say(_("The password is changed. You are signed out at all other places."));
}
await show();
