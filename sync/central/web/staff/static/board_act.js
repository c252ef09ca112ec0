// From a button to a press: asks what has to be asked, and makes the command.

import { act, annotate, callAgain, callNext, change, move, prioritise, undo } from "./board_commands.js";
import { askMove, askNote, askPriority, askReason } from "./board_dialogs.js";

/**
 * Returns the command of an offer on a row; null where the person changes their mind. `at` has the `rules`, the own `room`
 * and all `exams`.
 */
export async function commandOf(row, { kind, name }, at) {
  return COMMANDS[kind](row, name, at);
}

/** Returns the command that calls the first of a line. */
export const nextCommand = callNext;

/** Returns the command that takes a press back. */
export const undoCommand = undo;

const COMMANDS = {
  act: async (row, name, { rules, room }) => {
    if (rules.reasoned.includes(name)) return withReason(row, { kind: "act", name }, (reason) => change(row, rules.leads[name], reason));
    return act(row, name, rules.calls.includes(name) ? room : "");
  },
  change: (row, name) => change(row, name),
  again: (row) => callAgain(row),
  move: (row, _name, { exams }) => withValues(askMove(row, exams), (values) => move(row, values)),
  priority: (row, _name, { rules }) => withValues(askPriority(row, rules.kinds), (values) => prioritise(row, values)),
  note: (row) => withValues(askNote(row), ({ text }) => annotate(row, text)),
  undo: (row) => undo(row.undo.action_id),
};

function withReason(row, offer, make) {
  return withValues(askReason(row, offer), ({ reason }) => make(reason));
}

async function withValues(asked, make) {
  const values = await asked;
  return values && make(values);
}
