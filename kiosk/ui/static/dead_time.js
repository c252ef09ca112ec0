// The first moment of a new person or a new question. A finger takes a moment to land: it was on its way to what was on
// the glass before. So the person's buttons (those with a `data-stay`) are dead after a new person has come, the big button
// after a new question too, and both look it. Help is always alive.

/** The dead time of the buttons. `onEnd` is called when it is over. */
export class DeadTime {
  constructor(length, onEnd) {
    this.length = length;
    this.onEnd = onEnd;
    this.stay = null;
    this.offer = null;
    this.isAll = false;
    this.isNext = false;
  }

  /** Follows a screen that is about to be drawn. */
  follow({ stay, offer }) {
    if (stay !== this.stay) this.begin("isAll");
    if (offer !== this.offer) this.begin("isNext");
    Object.assign(this, { stay, offer });
  }

  // The time begins when the screen is on the glass: at the second frame of the browser.
  begin(name) {
    const turn = {};
    this[name] = turn;
    const end = () => {
      if (this[name] !== turn) return;
      this[name] = false;
      this.onEnd();
    };
    requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(end, this.length)));
  }

  /** Marks the dead buttons of the page as such. */
  mark() {
    for (const button of document.querySelectorAll("button")) {
      const { stay, offer } = button.dataset;
      const isDead = (this.isAll && stay !== undefined) || (this.isNext && offer !== undefined);
      // A button without the mark stays the same element: a finger may be on it.
      if (isDead) button.setAttribute("aria-disabled", "true");
      else if (button.hasAttribute("aria-disabled")) button.removeAttribute("aria-disabled");
    }
  }
}
