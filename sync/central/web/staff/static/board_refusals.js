// Why a press was refused, in words: who was first, and what stands now.

import { entryWord } from "./states.js";
import { clock } from "./time.js";
import { _ } from "/page/words.js";

const REASONS = {
  entry_changed: (press, answer) => changedBy(press, answer.body.entry),
  line_moved: (press, answer) => [changedBy(press, answer.body.entry), nextIs(answer.body.next)].filter(Boolean).join(" "),
  not_undoable: (press, answer) => cannotUndo(press, answer.body.after),
  not_allowed: ({ who }) => _("{who}: that is not possible now.", { who }),
  not_found: ({ who }) => _("{who}: this entry is no longer in today's list.", { who }),
  no_such_entry: ({ who }) => _("{who}: this entry is no longer in today's list.", { who }),
  already_in_line: ({ who }) => _("{who}: already in that line.", { who }),
  decided_elsewhere: () => _("The hospital's other system decides this."),
  forbidden: () => _("Your account may not do that."),
  unauthorized: () => _("Your sign-in has ended. Nothing was changed."),
};

/** Returns what is said of a refused press. */
export function refusalWords(press, answer) {
  if (answer === null) return givenUp(press);
  const words = REASONS[answer.code]?.(press, answer);
  return words ?? _("{who}: not done. {error}", { who: press.who, error: answer.error });
}

function changedBy({ who }, entry) {
  if (!entry) return _("{who}: somebody else was faster.", { who });
  const { state, room, by, at } = entry;
  const values = { who, state: entryWord(state), room, by, time: clock(at) };
  if (room && by) return _("{who}: “{state}” in {room} by {by} at {time}.", values);
  return by ? _("{who}: “{state}” by {by} at {time}.", values) : _("{who}: “{state}” since {time}.", values);
}

function nextIs(next) {
  return next ? _("Next is {number}.", { number: next.queue_number }) : _("Nobody else is waiting.");
}

function cannotUndo({ who }, later) {
  if (!later?.by) return _("{who}: this can no longer be taken back.", { who });
  return _("{who}: this can no longer be taken back. {by} came after it at {time}.", {
    who,
    by: later.by,
    time: clock(later.at),
  });
}

function givenUp({ who, at }) {
  return _("{who}: the hospital has not answered your press of {time}. It is not sent again. Please look at the line.", { who, time: at });
}
