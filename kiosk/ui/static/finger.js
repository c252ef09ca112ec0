// What a finger does. A press belongs to the button that was under the finger when it went down, as that button was then.
// A browser's own click needs both ends of the touch on one element: a hand that slides, or a line that moves, loses it.

const SLIDE_MM = 12; // a finger that slides further has changed its mind (WCAG 2.2, 2.5.2)

/**
 * Makes a press of every touch on a living button: its `click` listeners run when the finger goes up, where the button's
 * person is still there by `isPresent(button)`. `touched` is called when a finger or a key goes down anywhere. `mm` returns
 * the CSS pixels of a millimetre.
 */
export function watchFingers({ isPresent, touched, mm }) {
  const down = new Map(); // the button and the place of each finger on the glass
  const at = (type, listener) => document.addEventListener(type, listener, true);
  at("pointerdown", (event) => {
    const button = livingButton(event.target);
    if (button && event.button === 0) down.set(event.pointerId, { button, x: event.clientX, y: event.clientY });
    touched();
  });
  at("pointerup", (event) => {
    const { button, x, y } = down.get(event.pointerId) ?? {};
    down.delete(event.pointerId);
    const hasStayed = Math.hypot(event.clientX - x, event.clientY - y) <= SLIDE_MM * mm();
    if (button && hasStayed && isPresent(button)) button.click();
  });
  at("pointercancel", (event) => down.delete(event.pointerId));
  at("keydown", (event) => {
    // A key that is held would answer one question after another.
    if (event.repeat && livingButton(event.target)) event.preventDefault();
    touched();
  });
  at("click", (event) => {
    const isOfPointer = event.isTrusted && event.pointerType; // "" for the keyboard and for screen readers
    if (isOfPointer || isDead(event.target.closest("button"))) {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  });
}

function livingButton(target) {
  const button = target.closest?.("button");
  return button && !button.disabled && !isDead(button) ? button : null;
}

function isDead(button) {
  return button?.getAttribute("aria-disabled") === "true";
}
