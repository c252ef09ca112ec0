// The first steps with a one-time code: a new account, or another password for one.

import { _ } from "/page/words.js";
import { dutyName } from "./duties.js";
import { letShow, onSubmit } from "./password.js";

const at = (id) => document.getElementById(id);
const codeForm = at("code-form");
const accountForm = at("account-form");
let known = null;

onSubmit(
  codeForm,
  at("code-fault"),
  "/welcome/check/",
  () => (at("code").value.trim() ? { code: at("code").value } : _("Please type the code.")),
  (found, { code }) => begin(found, code),
);

function begin(found, code) {
  known = { ...found, code };
  codeForm.hidden = true;
  accountForm.hidden = false;
  at("account-title").textContent = found.makes_account ? _("Make your account") : _("Choose another password");
  at("account-duties").textContent = _("Duties: {duties}", { duties: found.duties.map(dutyName).join(", ") });
  for (const each of accountForm.querySelectorAll("[data-new]")) each.hidden = !found.makes_account;
  at("login").value = found.login;
  at("login").readOnly = !found.makes_account;
  at("name").value = found.name;
  (found.makes_account && !found.name ? at("name") : found.makes_account ? at("login") : at("password")).focus();
}

letShow(accountForm);
onSubmit(
  accountForm,
  at("account-fault"),
  "/welcome/",
  () => {
    const { code, makes_account } = known;
    const [name, login, password] = ["name", "login", "password"].map((each) => at(each).value);
    if (!makes_account) return password ? { code, password } : _("Please choose a password.");
    if (!name.trim() || !login.trim() || !password) return _("Please fill in all fields.");
    if (!/^[\p{L}\p{N}_.@-]{2,40}$/u.test(login.trim())) return _("A login name has 2 to 40 letters, digits, dots, hyphens, underscores or @.");
    return { code, name, login, password };
  },
  () => location.replace("/staff/"),
);
at("code").focus();
