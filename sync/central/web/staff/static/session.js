// Says before the session ends, and lets the person go on. The centre's answer alone counts: another page may have gone on.

import { h } from "/page/dom.js";
import { _, clock } from "/page/words.js";
import { send } from "./api.js";
import { show } from "./dialog.js";
import { say } from "./say.js";
import { isoOf } from "./time.js";

const SAID_BEFORE_MS = 3 * 60_000;
const SOON_MS = 20_000;
let dialog = null;
let isEndTold = false;
let timer = 0;

/** Looks when the session ends. `isPress`: a person has pressed something, which puts the end off. */
async function look(isPress) {
  clearTimeout(timer);
  const answer = await send("GET", "/me/", undefined, { unattended: !isPress });
  if (answer.status === 401) return close(); // the frame says so
  timer = setTimeout(look, answer.ok ? tell(answer.body) : SOON_MS, false);
}

/** Says what is to be said. Returns how long nothing more is (ms). */
function tell({ now_ms, idle_ends_ms, expires_ms }) {
  const [idle, end] = [idle_ends_ms ?? Infinity, expires_ms ?? Infinity].map((each) => each - now_ms);
  if (idle > SAID_BEFORE_MS) close();
  else if (idle < end) open(idle_ends_ms);
  if (end <= SAID_BEFORE_MS && !isEndTold) {
    isEndTold = true;
    say(_("This session ends at {time}. Please finish what you are doing, and sign in again.", { time: clock(isoOf(expires_ms)) }), { kind: "bad", stays: SAID_BEFORE_MS });
  }
  const next = Math.min(idle, end) - SAID_BEFORE_MS;
  return next > 0 ? Math.min(next + 1_000, 30 * 60_000) : Math.min(SOON_MS, Math.max(1_000, Math.min(idle, end) + 500));
}

function open(ends_ms) {
  if (dialog?.open) return;
  const stay = h("button", { type: "button", class: "primary", autofocus: true, onclick: () => look(true) }, _("Stay signed in"));
  const text = _("Nothing was pressed for a while. You will be signed out at {time}.", { time: clock(isoOf(ends_ms)) });
  dialog = show({ title: _("You will be signed out soon"), content: [h("p", {}, text), stay] });
}

function close() {
  if (dialog?.open) dialog.close();
  dialog = null;
}

await look(false);
