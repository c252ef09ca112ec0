// The number of open cases beside the inbox in the navigation, on every page.

import { h } from "/page/dom.js";
import { _ } from "/page/words.js";
import { get } from "./api.js";

const EVERY_MS = 60_000;
const link = document.querySelector('nav [data-page="inbox"]');

/** Shows the number. */
export function badge(open) {
  link?.querySelector(".count")?.remove();
  if (open) link?.append(h("span", { class: "count" }, String(open), h("span", { class: "unseen" }, " ", _("open cases"))));
}

async function look() {
  if (document.hidden) return;
  const { ok, body } = await get("/exceptions/count/", {}, { unattended: true });
  if (ok) badge(body.open);
}

if (link) {
  look();
  setInterval(look, EVERY_MS);
  document.addEventListener("visibilitychange", look);
}
