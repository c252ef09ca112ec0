// What may be done with an entry, as buttons: what the centre allows, in its order, and what staff add. Pure.
//
// `rules` come with the page, from the definitions: `groups` {state: group}, `leads` {action: state to which it leads},
// `calls` (the actions that call a patient), `called` (the states of an entry that is called), `reasoned` (the actions
// that ask for a reason).

/**
 * A press that is offered: `kind` is `act` (an action of the definitions), `change` (a state set directly), `again`, `move`,
 * `priority`, `note` or `undo`; `name` is the action or the state.
 * @typedef {{kind: string, name: string}} Offer
 */

/** Returns all that may be done with an entry; the usual press first. */
export function offersOf(row, rules) {
  const led = new Set(row.actions.map((action) => rules.leads[action]));
  const [first, ...others] = row.actions.map((name) => ({ kind: "act", name }));
  const changes = row.states.filter((state) => !led.has(state)).map((name) => ({ kind: "change", name }));
  return [
    first,
    rules.called.includes(row.state) && own("again"),
    ...others.filter(({ name }) => !rules.reasoned.includes(name)),
    ...changes.filter(({ name }) => rules.groups[name] === "line"),
    isLive(row, rules) && own("move"),
    isLive(row, rules) && own("priority"),
    isLive(row, rules) && own("note"),
    ...others.filter(({ name }) => rules.reasoned.includes(name)),
    ...changes.filter(({ name }) => rules.groups[name] !== "line"),
    row.undo && own("undo"),
  ].filter(Boolean);
}

/** Returns the presses that stand on the row itself: the usual one, and for a called patient another call. */
export function buttonsOf(row, rules) {
  return offersOf(row, rules).filter(({ kind }, index) => (index === 0 && kind === "act") || kind === "again");
}

/** Returns the offer of a name; undefined where it is not allowed now. */
export function offerNamed(row, rules, kind, name) {
  return offersOf(row, rules).find((offer) => offer.kind === kind && offer.name === name);
}

/** Whether a press can be taken back. Another call was heard: nobody can take that back. */
export function isUndoable({ kind }) {
  return kind !== "again";
}

/** Whether the rules let the patient be called now. */
export function mayBeCalled(row, rules) {
  return row.actions.some((action) => rules.calls.includes(action));
}

function isLive(row, rules) {
  return rules.groups[row.state] !== undefined;
}

function own(kind) {
  return { kind, name: kind };
}
