// The state of the chain that seals the access log, and its verification, a part after the other.

import { h } from "/page/dom.js";
import { N_, _, ngettext } from "/page/words.js";
import { get, post } from "./api.js";
import { complain, hear } from "./say.js";
import { dayAndTime } from "./time.js";

const at = (id) => document.getElementById(id);
const EVERY_MS = 30_000;
const MOST_SHOWN = 50;

const FAULTS = {
  row_changed: N_("Block {block}: the row {row} was changed."),
  row_removed: N_("Block {block}: the row {row} was removed."),
  row_added: N_("Block {block}: the row {row} was added."),
  block_changed: N_("Block {block} was changed."),
  block_missing: N_("Block {block} is missing."),
  chain_broken: N_("Block {block} does not follow the block before it."),
  rows_unreadable: N_("Block {block}: a row holds bytes that are no text."),
  seal_wrong: N_("Block {block} was made without the key of the centre."),
  seal_unknown: N_("Block {block} and others are sealed by the key {key}, which is not here."),
  anchor_wrong: N_("The blocks up to {block} were deleted without the key of the centre."),
};

/** Shows the state, and keeps it as it is. */
export function startChain() {
  at("verify").addEventListener("click", verify);
  const again = async () => (await showState(), setTimeout(again, EVERY_MS));
  again();
}

async function showState() {
  const { ok, body, error } = await get("/access-log/state/", {}, { unattended: true });
  if (!ok) return (at("chain-state").textContent = _("The state of the chain is not known: {error}", { error }));
  const parts = [
    body.block ? _("Sealed until {time}, block {block}.", { time: dayAndTime(body.sealed_at), block: String(body.block) }) : _("No row is sealed yet."),
    ngettext("{n} row is not sealed yet.", "{n} rows are not sealed yet.", body.open_rows),
    body.verified_at ? verified(body) : _("Not verified yet."),
  ];
  at("chain-state").textContent = parts.join(" ");
  const isNews = body.faults > 0 && !at("chain").classList.contains("bad");
  at("chain").classList.toggle("bad", body.faults > 0);
  if (isNews) hear("alarm", verified(body)); // the rest changes all the time, and is there to be read
}

function verified({ verified_at, faults }) {
  const time = dayAndTime(verified_at);
  return faults ? ngettext("Verified {time}: {n} FAULT.", "Verified {time}: {n} FAULTS.", faults, { time }) : _("Verified {time}: all as it was sealed.", { time });
}

async function verify() {
  const button = at("verify");
  const found = at("chain-found");
  button.setAttribute("aria-disabled", "true");
  if (found.dataset.busy) return;
  found.dataset.busy = "true";
  const result = await throughAll((rows) => tell(_("{n} rows verified so far …", { n: rows.toLocaleString() })));
  delete found.dataset.busy;
  button.removeAttribute("aria-disabled");
  if (result) showResult(result);
}

async function throughAll(advance) {
  const faults = [];
  let place;
  for (;;) {
    const answer = await post("/access-log/verify/", { place });
    if (!answer.ok) {
      tell("");
      complain(answer.error);
      return null;
    }
    faults.push(...answer.body.faults);
    place = answer.body.place;
    if (answer.body.ended) return { place, faults };
    advance(place.rows);
  }
}

function showResult({ place, faults }) {
  const n = place.rows.toLocaleString();
  if (!faults.length) return tell(_("Every row up to block {block} is as it was sealed: {n} rows.", { block: String(place.block), n }), "good");
  const lines = faults.slice(0, MOST_SHOWN).map((fault) => h("li", {}, _(FAULTS[fault.kind], { block: String(fault.block), row: fault.row, key: fault.key_id })));
  const more = faults.length - lines.length;
  tell(ngettext("The log is not as it was sealed: {n} fault.", "The log is not as it was sealed: {n} faults.", faults.length), "bad");
  at("chain-found").append(h("ul", {}, lines, more > 0 && h("li", {}, ngettext("and {n} more", "and {n} more", more))));
}

function tell(text, kind = "") {
  const found = at("chain-found");
  found.className = kind ? `notice ${kind}` : "";
  found.textContent = text;
  found.hidden = !text;
}
