// What the rows of the access log say, in words.

import { N_, _, ngettext } from "/page/words.js";

// A sentence for each kind of row.
export const KINDS = {
  "look:current_state": N_("Saw a patient's journey"),
  "look:socket": N_("Followed a patient's journey live"),
  "look:action": N_("Saw a patient's journey in the answer to an action"),
  "look:queue": N_("Saw the queue"),
  "look:board": N_("Saw the board"),
  "look:find": N_("Found patients in a search"),
  "look:day": N_("Saw a patient's day"),
  "look:worklist": N_("Saw a worklist"),
  "look:history": N_("Saw a patient's history"),
  "look:bindings": N_("Saw a patient's cards"),
  "look:exceptions": N_("Saw the list of cases"),
  "look:exception": N_("Saw a case"),
  "look:tokens": N_("Saw the tokens of patients"),
  "look:check": N_("Saw patients in the findings of a check"),
  "look:take-in": N_("Saw patients while actions of a kiosk were taken in"),
  "look:import": N_("Saw patients in the report of an import"),
  "look:demo-data": N_("Saw the demo patients"),
  "look:kiosk_acts": N_("Saw what a kiosk did to patients"),
  "look:shadow": N_("Saw differences from the other system"),
  "look:desk": N_("Saw a patient at the card desk"),
  "look:access-log": N_("Read the access log"),
  "look:access-log-export": N_("Took rows of the access log away"),
  "look:card": N_("A kiosk asked whose a card is"),
  "told:roster": N_("A kiosk got the list of patients"),
  "told:verdicts": N_("A kiosk got answers to its actions"),
  "told:events": N_("A program got events"),
  "told:import": N_("A program got the report of an import"),
  enrolled: N_("A kiosk was enrolled"),
  "refused:unknown-token": N_("Refused: unknown token"),
  "refused:revoked-token": N_("Refused: revoked token"),
  "refused:expired-token": N_("Refused: expired token"),
  "refused:replaced-token": N_("Refused: replaced token"),
  "refused:role": N_("Refused: not allowed with this account or token"),
  "refused:other-kiosk": N_("Refused: token of another kiosk"),
  "refused:enroll-code": N_("Refused: wrong code of a kiosk"),
  "refused:birth-date": N_("Refused: wrong birth date"),
  "refused:sign-in": N_("Refused: wrong login name or password"),
  "refused:sign-on": N_("Refused: single sign-on did not hold, or gave no duty"),
  "refused:locked": N_("Refused: signing in is locked for a while"),
  "refused:account-code": N_("Refused: wrong code of an account"),
  "sign-in": N_("Signed in"),
  "sign-in-locked": N_("Signing in was locked after too many failures"),
  "sign-out": N_("Signed out"),
  identified: N_("A patient proved the own identity"),
  settle: N_("Settled a case"),
  merge: N_("Merged two records"),
  bind: N_("Bound a card"),
  "end_binding": N_("Ended the binding of a card"),
  "block_card": N_("Blocked a card"),
  "unblock_card": N_("Unblocked a card"),
  "register_patient": N_("Registered a patient"),
  "change_patient": N_("Changed a patient's record"),
  "walk_in": N_("Took a walk-in"),
  "book_by_hand": N_("Made or changed a booking"),
  "copy_ticket": N_("Printed a ticket again"),
  "await_card": N_("Waited for a card at a kiosk"),
  "end_desk_card": N_("Ended the wait for a card"),
  account: N_("Changed an account"),
  "enroll-code": N_("Made a code for a kiosk"),
  "kiosk-revoke": N_("Revoked a kiosk"),
  "kiosk-undo": N_("Undid what a kiosk did"),
  "take_back": N_("Took back what a kiosk did to a patient"),
  "kiosk-renew": N_("Asked kiosks for new tokens"),
  "take-in": N_("Took in actions of a kiosk"),
  token: N_("Made a token"),
  "token-revoke": N_("Revoked a token"),
  "demo-data": N_("Made the demo hospital"),
  "card-keys": N_("Made a new card key"),
  clock: N_("Confirmed the clock"),
  backup: N_("Made a backup, which holds every patient"),
  restored: N_("The database was restored or has lost its last changes"),
  site: N_("Changed the settings of the hospital"),
  import: N_("Imported data of the hospital"),
  "import-day": N_("Imported the bookings of a day"),
  "migrate-legacy": N_("Took over data of the older system"),
  webhook: N_("Changed a webhook"),
  "access-log-deleted": N_("Old rows of the access log were deleted"),
  "word-corrected": N_("The other system went against the rules"),
  "token-renewed": N_("A token was renewed"),
  fork: N_("A kiosk's history was in two versions"),
  rewritten: N_("A kiosk's history was rewritten"),
  gap: N_("A kiosk's history has a gap"),
};

// The groups of a search: label, the beginning of all kinds in it, and which kinds are listed.
export const GROUPS = [
  [N_("Looks"), "look:", (kind) => kind.startsWith("look:")],
  [N_("Told to kiosks and programs"), "told:", (kind) => kind.startsWith("told:") && kind !== "told:verdicts"],
  [N_("Refused"), "refused:", (kind) => kind.startsWith("refused:")],
  [N_("Acts"), "", (kind) => !/^(look|told|refused):/.test(kind)],
];

/** What happened. A row that counts says how often. */
export function whatOf({ kind, detail }) {
  const what = kind in KINDS ? _(KINDS[kind]) : kind;
  return detail.count > 1 ? ngettext("{what} ({n} time)", "{what} ({n} times)", detail.count, { what }) : what;
}

/** Who it was: a person and a kiosk by name, and beside it by what the row has. `doers` are the names by that. */
export function whoOf(who, doers) {
  const name = Object.hasOwn(doers, who) && doers[who];
  const written = writtenOf(who);
  return name && name !== written ? `${name} (${written})` : written;
}

function writtenOf(who) {
  if (who === "centre") return _("The centre itself");
  if (who === "unknown") return _("Nobody known");
  const [role, ...rest] = who.split(":");
  const name = rest.join(":");
  if (role === "staff" && name) return name;
  if (role === "command line") return name ? _("Operator {name}", { name }) : _("Operator");
  if (role === "integration" && name) return _("Program {name}", { name });
  if (role === "webhook" && name) return _("Webhook {name}", { name });
  if (role === "patient" && name) return _("Patient {name}", { name });
  return who;
}

/** From which address. A command of an operator has none. */
export function whereOf({ detail, who }) {
  if (detail.from) return String(detail.from);
  return who.startsWith("command line") ? _("at the server") : "";
}
