// Signing in with a login name and a password.

import { _ } from "/page/words.js";
import { letShow, onSubmit } from "./password.js";

const form = document.getElementById("sign-in");
const fault = document.getElementById("fault");

letShow(form);
onSubmit(
  form,
  fault,
  "/sign-in/",
  () => {
    const { login, password } = form.elements;
    const empty = [login, password].find((each) => !each.value);
    empty?.focus();
    return empty ? _("Please fill in both fields.") : { login: login.value, password: password.value };
  },
  () => location.replace(form.dataset.next),
);
form.elements.login.focus();
