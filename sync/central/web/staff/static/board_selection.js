// Which row is chosen: the one with the focus, or that had it last. It follows its entry from list to list. When the entry
// leaves the board, no other row is chosen by itself, since a key would then act on another patient.

/** The chosen row among the rows in an element. */
export class Selection {
  #id = "";
  #place = 0; // of the chosen row among all, for the next move once it has left

  constructor(element) {
    this.element = element;
    element.addEventListener("focusin", ({ target }) => this.choose(target.closest("li.row")?.dataset.id));
    element.addEventListener("click", ({ target }) => target.closest("button, a") || this.#focus(target.closest("li.row")));
  }

  /** The id of the chosen entry; "" without one. */
  get id() {
    return this.#id;
  }

  /** Chooses an entry. Its row may come later. */
  choose(id) {
    if (!id) return;
    this.#id = id;
    this.mark();
  }

  /** Chooses nobody, where this entry is the chosen one; without an id, whoever that is. */
  drop(id = this.#id) {
    if (id !== this.#id) return;
    this.#id = "";
    this.mark();
  }

  /** Moves to a neighbour of the chosen row, and into sight. */
  move(step) {
    const rows = this.#rows();
    const here = rows.findIndex(({ dataset }) => dataset.id === this.#id);
    const to = here >= 0 ? here + step : this.#id ? this.#place - (step < 0 ? 1 : 0) : 0;
    this.#focus(rows[Math.min(Math.max(to, 0), rows.length - 1)]);
  }

  /** Puts the focus on the row of an entry. */
  focus(id) {
    this.#focus(this.#rows().find(({ dataset }) => dataset.id === id));
  }

  /** Marks the chosen row after the rows were drawn. */
  mark() {
    const rows = this.#rows();
    const chosen = rows.findIndex(({ dataset }) => dataset.id === this.#id);
    if (chosen >= 0) this.#place = chosen;
    for (const row of this.element.querySelectorAll("li.row.chosen")) row.classList.toggle("chosen", row === rows[chosen]);
    rows[chosen]?.classList.add("chosen");
  }

  #rows() {
    return [...this.element.querySelectorAll("li.row:not(.left)")].filter((row) => row.closest("details:not([open])") === null);
  }

  #focus(row) {
    if (!row) return;
    row.querySelector(".name").focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  }
}
