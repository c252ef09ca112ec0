// What forms with a password share: show it, say what is wrong, and send it once.

import { N_, _ } from "/page/words.js";
import { send } from "./api.js";

const SENTENCES = {
  wrong_password: N_("The login name or the password is wrong."),
  account_disabled: N_("This account is disabled. An administrator can enable it."),
  foreign_origin: N_("Open this page under the hospital's own address, and try again."),
  https_only: N_("Passwords are taken over https alone. Open this page with https://."),
  code_unknown: N_("There is no such code. It may be used, or older than 24 hours."),
  login_taken: N_("Another person has this login name. Please choose another one."),
};
const WEAK = {
  length: N_("The password needs 10 characters or more, and 128 at most."),
  known: N_("Many people have this password, or it is close to a name. Please choose another one."),
};

/** What a person reads for an answer that is a refusal. */
export function said({ status, code, error, body }) {
  if (code === "too_many_tries") {
    const minutes = /(\d+) min/.exec(body?.error ?? error)?.[1] ?? "1";
    return _("Too many tries were wrong. Please wait {minutes} min and try again.", { minutes });
  }
  if (code === "weak_password") return _(/characters\.$/.test(body?.error ?? error) && /least|most/.test(body?.error ?? error) ? WEAK.length : WEAK.known);
  return status !== 0 && SENTENCES[code] ? _(SENTENCES[code]) : error;
}

/** Lets a checkbox show what is in the password fields of its form. */
export function letShow(form) {
  const box = form.querySelector("#show-password");
  const fields = form.querySelectorAll("input[type=password]");
  box.onchange = () => fields.forEach((each) => (each.type = box.checked ? "text" : "password"));
}

/**
 * Sends a form once at a time: `read()` returns the body, or a sentence that says what is missing. `done(body)` gets the answer.
 * `fault` is the element that says what is wrong.
 */
export function onSubmit(form, fault, path, read, done) {
  form.onsubmit = async (event) => {
    event.preventDefault();
    if (form.ariaBusy === "true") return;
    const body = read();
    if (typeof body === "string") return complain(fault, body);
    form.ariaBusy = "true";
    fault.hidden = true;
    const answer = await send("POST", path, body);
    form.ariaBusy = "false";
    if (answer.ok) return done(answer.body, body);
    complain(fault, said(answer));
    const wrong = answer.code === "wrong_password" && form.querySelector("[autocomplete=current-password]");
    if (!wrong) return;
    wrong.focus();
    wrong.select(); // the next try replaces it
  };
}

/** Says what is wrong, above the fields. */
export function complain(fault, text) {
  fault.hidden = true;
  fault.textContent = text;
  fault.hidden = false;
}
