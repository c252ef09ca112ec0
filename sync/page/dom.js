// Makes elements, in one call each. Text is set as text alone, so no data from outside becomes markup.

const SVG = "http://www.w3.org/2000/svg";

/** Makes an element with attributes and children. An `on…` attribute is a listener; false and null leave one out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Makes one of the page's icons. It is hidden from screen readers, since a text beside it says the same. */
export function icon(name, kind = "icon") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", `${kind} ${kind}-${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("focusable", "false");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#${kind}-${name}`);
  svg.append(use);
  return svg;
}

/** Makes a picture of one path, in the units of its view box. It is hidden from screen readers. */
export function drawing(name, box, path) {
  const svg = document.createElementNS(SVG, "svg");
  const shape = document.createElementNS(SVG, "path");
  svg.setAttribute("class", name);
  svg.setAttribute("viewBox", box);
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("focusable", "false");
  shape.setAttribute("d", path);
  svg.append(shape);
  return svg;
}

/** Makes a button with an icon and a text. `name` identifies it across renderings. */
export function button(name, kind, picture, text, onclick, attributes = {}) {
  return h(
    "button",
    { type: "button", class: kind, "data-name": name, onclick, ...attributes },
    icon(picture),
    h("span", {}, text),
  );
}

/**
 * Gives an element these children. What is equal stays the same element, since a finger may be on it; so a listener must
 * not depend on the drawing that made it. The focus stays on the element of the same name; a button that is disabled for a
 * while gets it back when it is enabled.
 */
export function fill(element, ...children) {
  const active = document.activeElement;
  const name = element.contains(active) ? active.dataset.name : active === document.body ? element.dataset.lost : undefined;
  setChildren(element, children.flat(Infinity).filter(Boolean));
  delete element.dataset.lost;
  const successor = name && element.querySelector(`[data-name="${CSS.escape(name)}"]`);
  if (successor?.disabled) element.dataset.lost = name;
  else successor?.focus({ preventScroll: true });
}

function setChildren(element, wanted) {
  wanted.forEach((child, index) => {
    const present = element.childNodes[index];
    if (present) turnInto(present, child);
    else element.append(child);
  });
  while (element.childNodes.length > wanted.length) element.lastChild.remove();
}

function turnInto(present, wanted) {
  if (present.isEqualNode(wanted)) return;
  // A button is one thing: another text on it may mean another listener.
  const isSameFrame = present.nodeName !== "BUTTON" && present.cloneNode().isEqualNode(wanted.cloneNode());
  if (isSameFrame && wanted.childNodes.length > 0) setChildren(present, [...wanted.childNodes]);
  else present.replaceWith(wanted);
}
