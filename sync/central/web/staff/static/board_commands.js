// What a press asks of the centre: the path and the body of each command. Pure. `presses.js` adds the action id.

/** Calls the first of a line, if it still is this entry. */
export function callNext(row, room) {
  const line = { exam_id: row.exam_id, queue_id: row.queue_id };
  return post("/queue/call-next/", room ? { ...line, room } : line);
}

/** Does an action of the definitions with an entry, as the screen shows the entry. */
export function act(row, action, room = "") {
  const payload = { patient_id: row.patient_id, queue_id: row.queue_id, seen_state: row.state };
  return post("/patient-journey/perform-action/", { action_type: action, payload: room ? { ...payload, room } : payload });
}

/** Sets an entry to another state. */
export function change(row, state, reason = "") {
  return { ...post(`/queue/${at(row)}/`, { state, reason, seen_state: row.state }), method: "PATCH" };
}

/** Calls a patient once more. */
export function callAgain(row) {
  return post(`/queue/${at(row)}/call-again/`, { seen_state: row.state });
}

/** Moves an entry to the line of another exam. */
export function move(row, { exam_id, place, reason }) {
  return post(`/queue/${at(row)}/move/`, { exam_id, place, reason, seen_state: row.state });
}

/** Gives an entry priority, or takes it back where the kind is "". */
export function prioritise(row, { kind, reason }) {
  return post(`/queue/${at(row)}/priority/`, { kind, reason, seen_state: row.state });
}

/** Writes the note of an entry. */
export function annotate(row, text) {
  return post(`/queue/${at(row)}/note/`, { text });
}

/** Takes a press back. */
export function undo(actionId) {
  return post("/queue/undo/", { undoes: actionId });
}

function post(path, body) {
  return { method: "POST", path, body };
}

function at(row) {
  return encodeURIComponent(row.queue_id);
}
