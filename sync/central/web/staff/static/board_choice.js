// Which exams this screen shows, and which room it stands in. The browser keeps it: ids of exams and a room, no person.

const KEPT = "nk-board";

/** Returns what this browser shows: `{exams, room}`. Exams that the hospital no longer has are left out. */
export function readChoice(known) {
  const { exams = [], room = "" } = kept();
  return { exams: exams.filter((id) => known.some(({ exam_id: each }) => each === id)), room };
}

/** Keeps a choice. Where the browser keeps nothing, the choice lasts as long as the page. */
export function keepChoice({ exams, room }) {
  try {
    localStorage.setItem(KEPT, JSON.stringify({ exams, room }));
  } catch {
    // A browser may forbid it.
  }
}

/** Returns the rooms that the exams name, for the choice of the own room. */
export function roomsOf(exams) {
  return [...new Set(exams.map(({ room }) => room).filter(Boolean))].sort();
}

function kept() {
  try {
    const value = JSON.parse(localStorage.getItem(KEPT) ?? "{}");
    const exams = Array.isArray(value.exams) ? value.exams.filter((id) => typeof id === "string") : [];
    return { exams, room: typeof value.room === "string" ? value.room : "" };
  } catch {
    return {};
  }
}
