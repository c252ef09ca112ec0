// A list whose items keep their elements. Only what has changed is drawn again, and the item with the focus never moves.

/** A list of elements, one for each item, by the item's id. */
export class KeyedList {
  #items = new Map(); // by id: {element, drawn}

  /**
   * `make` makes the element of an item. `draw` puts the item into its element; it is called where `isSame` says that the
   * item looks otherwise than at the last time. `leave` marks an element whose item has left while the order is held.
   */
  constructor(element, { idOf, make, draw, isSame, leave = () => {} }) {
    Object.assign(this, { element, idOf, make, draw, isSame, leave });
  }

  /** Returns the element of an item; undefined without one. */
  at(id) {
    return this.#items.get(id)?.element;
  }

  /** Returns the ids in the order on the screen. */
  get ids() {
    return Array.from(this.element.children, ({ dataset }) => dataset.id);
  }

  /**
   * Shows these items. While `isHeld`, nothing moves: items that are new wait, and items that have left stay, marked.
   * Returns whether the order has changed.
   */
  show(items, isHeld = false) {
    const wanted = new Map(items.map((item) => [this.idOf(item), item]));
    for (const [id, item] of wanted) this.#drawItem(id, item, isHeld);
    const left = [...this.#items.keys()].filter((id) => !wanted.has(id));
    if (isHeld) {
      for (const id of left) this.#mark(id);
      return false;
    }
    for (const id of left) this.#remove(id);
    return this.#arrange([...wanted.keys()]) || left.length > 0;
  }

  #drawItem(id, item, isHeld) {
    const known = this.#items.get(id);
    if (!known && isHeld) return;
    const kept = known ?? this.#add(id, item);
    if (kept.drawn !== undefined && this.isSame(kept.drawn, item)) return;
    this.draw(kept.element, item);
    kept.drawn = item;
  }

  #add(id, item) {
    const element = this.make(item);
    element.dataset.id = id;
    const kept = { element, drawn: undefined };
    this.#items.set(id, kept);
    return kept;
  }

  #mark(id) {
    const kept = this.#items.get(id);
    this.leave(kept.element, kept.drawn);
    kept.drawn = undefined; // one that comes back is drawn whole
  }

  #remove(id) {
    this.#items.get(id).element.remove();
    this.#items.delete(id);
  }

  /** Puts the elements into an order by the fewest moves. */
  #arrange(ids) {
    const place = new Map(this.ids.map((id, index) => [id, index]));
    const focused = document.activeElement?.closest?.("[data-id]")?.dataset.id;
    const still = new Set(longestRise(ids.filter((id) => place.has(id)), place, focused));
    let moved = false;
    let after = null;
    for (const id of ids) {
      const { element } = this.#items.get(id);
      if (!still.has(id)) {
        this.element.insertBefore(element, after ? after.nextSibling : this.element.firstChild);
        moved = true;
      }
      after = element;
    }
    return moved;
  }
}

/** Returns the longest run of ids whose places rise; one that holds `fixed`, where that is among them. */
function longestRise(ids, place, fixed) {
  const at = place.get(fixed);
  const index = ids.indexOf(fixed);
  if (at === undefined || index < 0) return rise(ids, place);
  const before = ids.slice(0, index).filter((id) => place.get(id) < at);
  const behind = ids.slice(index + 1).filter((id) => place.get(id) > at);
  return [...rise(before, place), fixed, ...rise(behind, place)];
}

function rise(ids, place) {
  const ends = []; // the index of the least last id of a run of each length
  const before = new Array(ids.length);
  ids.forEach((id, index) => {
    const length = firstNotBelow(ends, (end) => place.get(ids[end]) < place.get(id));
    before[index] = ends[length - 1];
    ends[length] = index;
  });
  const found = [];
  for (let index = ends.at(-1); index !== undefined; index = before[index]) found.unshift(ids[index]);
  return found;
}

function firstNotBelow(sorted, isBelow) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBelow(sorted[middle])) low = middle + 1;
    else high = middle;
  }
  return low;
}
