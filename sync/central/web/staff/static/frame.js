// What every page does: sign out, and lead back to the sign-in once the session has ended.

import { _ } from "/page/words.js";
import { send } from "./api.js";
import "./badge.js";
import { show } from "./dialog.js";
import { complain } from "./say.js";
import { h } from "/page/dom.js";
import { path } from "./start.js";

const pages = new BroadcastChannel("staff sign-out"); // of this browser
let isTold = false;

if (document.getElementById("sign-out")) import("./session.js");

document.getElementById("sign-out")?.addEventListener("click", async () => {
  const answer = await send("DELETE", "/session/");
  if (!answer.ok && answer.status !== 401) {
    complain(_("You are not signed out: {error}", { error: answer.error }));
    return;
  }
  pages.postMessage("");
  leave();
});

// Who signs out leaves no patient on another page of the browser.
pages.addEventListener("message", leave);

function leave() {
  const button = document.getElementById("sign-out");
  if (button) location.assign(button.dataset.then);
}

// The picture stays, and may be read and printed. A person signs in and comes back to this page.
document.addEventListener("signed-out", () => {
  if (isTold || !document.getElementById("sign-out")) return;
  isTold = true;
  const again = h("a", { class: "button primary", href: `/staff/sign-in?next=${path}` }, _("Sign in again"));
  show({ title: _("You are signed out"), content: [h("p", {}, _("What you see is from before. Nothing is sent any more.")), again] }).addEventListener("close", () => (isTold = false));
});
