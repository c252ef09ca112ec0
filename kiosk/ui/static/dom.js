// Elements, made in one call each. Text is only ever set as text, so nothing that comes from outside becomes markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children; an `on…` attribute is a listener, false and null leave one out. */
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

/** A drawing of the page's own, beside text that says the same. */
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

/** A button with an icon and its text. `name` tells it apart across renderings. */
export function button(name, kind, picture, text, onclick, attributes = {}) {
  return h(
    "button",
    { type: "button", class: kind, "data-name": name, onclick, ...attributes },
    icon(picture),
    h("span", {}, text),
  );
}

/**
 * Puts children into an element in place of what was there. What had the focus keeps it, by its name; a button that is
 * dead for a while gets it back when it lives again.
 */
export function fill(element, ...children) {
  const active = document.activeElement;
  const name = element.contains(active) ? active.dataset.name : active === document.body ? element.dataset.lost : undefined;
  element.replaceChildren(...children.flat(Infinity).filter(Boolean));
  delete element.dataset.lost;
  const heir = name && element.querySelector(`[data-name="${CSS.escape(name)}"]`);
  if (heir?.disabled) element.dataset.lost = name;
  else heir?.focus({ preventScroll: true });
}
