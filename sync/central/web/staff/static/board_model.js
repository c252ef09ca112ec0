// The picture of the board: what the centre has told, and how it is shown. Pure: a change makes another picture.

export const ENDED_SHOWN = 20;

/** The picture before the centre has answered. */
export const NOTHING = { at: "", exams: [], rows: new Map(), order: new Map(), ended: [] };

/** Returns the picture of a whole board. */
export function pictureOf({ timestamp, exams, entries, ended }) {
  const order = new Map(exams.map(({ exam_id: id }) => [id, []]));
  for (const row of entries) listIn(order, row.exam_id).push(row.queue_id);
  return { at: timestamp, exams, rows: byId(entries), order, ended };
}

/**
 * Returns the picture after an update. Rows that the update does not name stay the same objects, and so does the order of
 * a line where it names none.
 */
export function updated(picture, update) {
  const rows = new Map(picture.rows);
  for (const id of update.gone) rows.delete(id);
  for (const row of update.rows) rows.set(row.queue_id, row);
  const order = new Map([...picture.order, ...Object.entries(update.order)]);
  const exams = latestOf(picture.exams, update.exams);
  return { at: update.timestamp, exams, rows, order, ended: endedAfter(picture.ended, update) };
}

/**
 * Returns what the board shows: a line for each exam, and all who are called or in their exam (`at_hand`), and those who
 * missed their call. `groups` says of each state of an entry which of them it belongs to.
 */
export function viewOf(picture, groups) {
  const found = { lines: [], atHand: [], missed: [], ended: picture.ended };
  for (const exam of picture.exams) {
    const rows = rowsOf(picture, exam.exam_id);
    const [line, atHand, missed] = ["line", "at_hand", "missed"].map((group) => rows.filter(isOf(groups, group)));
    found.lines.push({ exam, rows: line });
    found.atHand.push(...atHand);
    found.missed.push(...missed);
  }
  found.atHand.sort((one, other) => (one.since < other.since ? -1 : one.since > other.since ? 1 : 0));
  return found;
}

/** Returns the first of a line whose turn it is; undefined where nobody waits for a turn. */
export function nextOf({ rows }, ready) {
  return rows.find(({ state }) => ready.includes(state));
}

function isOf(groups, group) {
  return ({ state }) => groups[state] === group;
}

// An entry that has left is still in the order that came before, and one that was moved is in two.
function rowsOf(picture, examId) {
  const rows = (picture.order.get(examId) ?? []).map((id) => picture.rows.get(id));
  return rows.filter((row) => row?.exam_id === examId);
}

function endedAfter(before, { rows, ended }) {
  const named = new Set([...rows, ...ended].map(({ queue_id: id }) => id));
  return [...ended, ...before.filter(({ queue_id: id }) => !named.has(id))].slice(0, ENDED_SHOWN);
}

function byId(rows) {
  return new Map(rows.map((row) => [row.queue_id, row]));
}

function listIn(order, id) {
  if (!order.has(id)) order.set(id, []);
  return order.get(id);
}

function latestOf(known, news) {
  const latest = new Map(news.map((exam) => [exam.exam_id, exam]));
  return known.map((exam) => latest.get(exam.exam_id) ?? exam);
}
