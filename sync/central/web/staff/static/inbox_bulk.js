// Many cases of one kind at one kiosk are discarded at once, after they were counted.

import { h } from "/page/dom.js";
import { _, ngettext } from "/page/words.js";
import { post } from "./api.js";
import { ask } from "./dialog.js";
import { titleOf } from "./inbox_words.js";

const MOST_REASON = 500;

/** The group of open cases like this one at its kiosk; null where it is alone. */
export function groupOf(counts, { code, kiosk_id: kioskId, settled_at: settledAt }) {
  const found = kioskId && !settledAt && counts?.groups.find((each) => each.code === code && each.kiosk_id === kioskId);
  return found && found.count > 1 ? found : null;
}

/** The button under a case that has repeats. */
export function repeatsPart(group) {
  if (!group) return null;
  const words = ngettext("{n} case of this kind is open at this kiosk.", "{n} cases of this kind are open at this kiosk.", group.count);
  return h(
    "section",
    { class: "way", "aria-labelledby": "way-all" },
    h("h4", { id: "way-all" }, _("All cases of this kind at this kiosk")),
    h("p", { class: "hint" }, words),
    h("button", { type: "button", "data-do": "discard-all", "data-name": "discard-all" }, _("Discard them all")),
  );
}

/** Counts, asks, discards. Returns what is to be said, or null where the person cancels. */
export async function discardAll(group) {
  const wanted = { kiosk_id: group.kiosk_id, code: group.code };
  const counted = await walk({ ...wanted, reason: "-", trial: true });
  if (counted.failed) return { failed: counted.failed };
  if (!counted.discarded) return { failed: _("None of them can be discarded together. Settle them one by one.") };
  const values = await ask({
    title: `${titleOf(group.code)} · ${group.kiosk_name ?? group.kiosk_id}`,
    content: [h("p", {}, countWords(counted)), h("p", { class: "hint" }, _("They will not count. A settled case cannot be opened again."))],
    fields: [{ name: "reason", label: _("Reason"), kind: "area", required: true, max: MOST_REASON }],
    confirm: ngettext("Discard {n} case", "Discard {n} cases", counted.discarded),
    kind: "danger",
  });
  if (!values) return null;
  const done = await walk({ ...wanted, reason: values.reason, until_ms: counted.until_ms });
  const said = ngettext("{n} case was discarded.", "{n} cases were discarded.", done.discarded);
  return done.failed ? { failed: `${said} ${done.failed}` } : { said };
}

function countWords({ discarded, left }) {
  const words = ngettext("{n} case will be discarded.", "{n} cases will be discarded.", discarded);
  if (!left) return words;
  const rest = ngettext("{n} stays, since another kiosk's step waits in it or it has to be decided by itself.", "{n} stay, since another kiosk's step waits in them or they have to be decided by themselves.", left);
  return `${words} ${rest}`;
}

/** Call after call, 50 cases each. A call without an answer ends it: what it did is seen in the list. */
async function walk(body) {
  const sum = { discarded: 0, left: 0, until_ms: body.until_ms };
  let after = "";
  while (after !== null) {
    const { ok, error, body: answer } = await post("/exceptions/discard/", { ...body, after, ...(sum.until_ms === undefined ? {} : { until_ms: sum.until_ms }) });
    if (!ok) return { ...sum, failed: error };
    sum.discarded += answer.discarded;
    sum.left += answer.left;
    sum.until_ms = answer.until_ms;
    after = answer.after;
  }
  return sum;
}
