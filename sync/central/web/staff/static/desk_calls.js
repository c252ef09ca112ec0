// What the desk asks the centre to do: one press, one action. The page says what is under way, and what became of it.

import { _ } from "/page/words.js";
import { act } from "./api.js";
import { faultOf } from "./desk_words.js";
import { complain, say } from "./say.js";

const busy = document.getElementById("desk-busy");
let underWay = 0;

/** Says that something is under way until it has ended. */
export async function during(promise) {
  underWay += 1;
  busy.textContent = _("Being sent to the centre…");
  try {
    return await promise;
  } finally {
    underWay -= 1;
    if (!underWay) busy.textContent = "";
  }
}

/**
 * Acts, and says what became of it: `done(body)` is the sentence for a success. Returns the body; null where it was refused or got no
 * answer. Without an answer it can be repeated as the same action, so that nothing is done twice: `after(body)` follows then too.
 */
export async function perform(path, body, { done, after, action_id } = {}) {
  const found = await during(act(path, body, action_id ? { action_id } : {}));
  if (found.ok) {
    if (done) say(done(found.body));
    await after?.(found.body);
    return found.body;
  }
  const again = { label: _("Try again"), onclick: () => perform(path, body, { done, after, action_id: found.action_id }) };
  complain(faultOf(found), found.status === 0 || found.status === 503 ? again : undefined);
  return null;
}
