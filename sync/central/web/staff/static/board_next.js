// Whom the key and the button of the next call mean: the entry that the person has read there.
//
// A label that has just changed was not read yet: a press is for the entry that stood there before, and the centre says
// what has become of that one. After a call the button rests for a moment, so that a second press in haste calls nobody.

const READ_MS = 300; // a label that is younger was not read
const REST_MS = 700;
const OWN_MS = 2_000; // what a person's own press has changed is no news

/** The entries on the buttons of the next call, by exam. `changed` is called when a label was read, or a rest is over. */
export class NextCalls {
  #shown = new Map(); // by exam id: {row, before, at}
  #calledAt = -Infinity;
  #pressedAt = -Infinity;
  #said = new Map(); // by exam id: the entry that was on the button when it was asked for news

  constructor(changed, now = () => performance.now()) {
    Object.assign(this, { changed, now });
  }

  /** Notes the entry that a button names now. */
  note(examId, row) {
    const known = this.#shown.get(examId);
    if (known !== undefined && known.row?.queue_id === row?.queue_id) {
      known.row = row;
      return;
    }
    this.#shown.set(examId, { row, before: known?.row, at: this.now() });
    if (known?.row) setTimeout(this.changed, READ_MS);
  }

  /** Returns the entry that a press on a button is for; undefined where it names nobody. */
  meant(examId) {
    const { row, before } = this.#shown.get(examId) ?? {};
    return this.isNew(examId) ? before : row;
  }

  /** Whether the label of a button has changed so lately that nobody has read it. */
  isNew(examId) {
    const { before, at } = this.#shown.get(examId) ?? {};
    return before !== undefined && this.now() - at < READ_MS;
  }

  /** Returns the entry on a button, where it is another one than at the last time and not by a press of this page. */
  news(examId) {
    const { row } = this.#shown.get(examId) ?? {};
    const isKnown = this.#said.has(examId);
    const before = this.#said.get(examId);
    this.#said.set(examId, row?.queue_id);
    const isOwn = this.now() - this.#pressedAt < OWN_MS;
    return isKnown && !isOwn && before !== row?.queue_id ? row : undefined;
  }

  /** A press of this page was sent. */
  pressed() {
    this.#pressedAt = this.now();
  }

  /** The next one of any line was called. */
  called() {
    this.#calledAt = this.now();
    setTimeout(this.changed, REST_MS);
  }

  get isResting() {
    return this.now() - this.#calledAt < REST_MS;
  }
}
