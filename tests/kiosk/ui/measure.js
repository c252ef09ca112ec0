// Read into the pages under test: what a person with a ruler and a colour meter would find.

window.measure = (() => {
  const canvas = document.createElement("canvas").getContext("2d");

  const visible = (element) =>
    element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) && !element.closest(".unseen, noscript");

  // Only what shows through every box that it scrolls in; and while a dialog is open, only the dialog.
  const shown = (element) => {
    const dialog = document.querySelector("dialog[open]");
    if (dialog && !dialog.contains(element)) return null;
    let { left, top, right, bottom } = element.getBoundingClientRect();
    for (let box = element.parentElement; box; box = box.parentElement) {
      const style = getComputedStyle(box);
      if (style.clipPath !== "none") return null;
      if (style.overflowX === "visible" && style.overflowY === "visible") continue;
      const hole = box.getBoundingClientRect();
      [left, top] = [Math.max(left, hole.left), Math.max(top, hole.top)];
      [right, bottom] = [Math.min(right, hole.right), Math.min(bottom, hole.bottom)];
    }
    return right - left > 1 && bottom - top > 1 ? { left, top, right, bottom } : null;
  };

  const colours = (text) =>
    [...text.matchAll(/rgba?\(([^)]+)\)/g)].map(([, parts]) => {
      const [red, green, blue, alpha = 1] = parts.split(/[\s,/]+/).map(Number);
      return { red, green, blue, alpha };
    });

  const over = (front, back) => ({
    red: front.red * front.alpha + back.red * (1 - front.alpha),
    green: front.green * front.alpha + back.green * (1 - front.alpha),
    blue: front.blue * front.alpha + back.blue * (1 - front.alpha),
    alpha: 1,
  });

  // Every colour that may stand behind an element: a gradient has several.
  const backgrounds = (element) => {
    if (!element) return [{ red: 255, green: 255, blue: 255, alpha: 1 }];
    const style = getComputedStyle(element);
    const [flat] = colours(style.backgroundColor);
    const own = style.backgroundImage === "none" ? [flat] : colours(style.backgroundImage);
    if (own.every(({ alpha }) => alpha === 1)) return own;
    return backgrounds(element.parentElement).flatMap((behind) => own.map((front) => over(front, behind)));
  };

  const channel = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);

  const luminance = ({ red, green, blue }) => 0.2126 * channel(red) + 0.7152 * channel(green) + 0.0722 * channel(blue);

  const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };

  const hangul = (style) => {
    canvas.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
    const { actualBoundingBoxAscent, actualBoundingBoxDescent } = canvas.measureText("를");
    return actualBoundingBoxAscent + actualBoundingBoxDescent;
  };

  const texts = () => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    while (walker.nextNode()) {
      const element = walker.currentNode.parentElement;
      const words = walker.currentNode.textContent.trim();
      if (!words || !visible(element) || element.closest("script, style")) continue;
      const place = shown(element);
      if (!place) continue;
      const style = getComputedStyle(element);
      const [ink] = colours(style.color);
      found.push({
        words,
        hangul: hangul(style),
        size: parseFloat(style.fontSize),
        contrast: Math.min(...backgrounds(element).map((behind) => contrast(over(ink, behind), behind))),
        disabled: Boolean(element.closest(":disabled")),
        ...place,
      });
    }
    return found;
  };

  const targets = () =>
    [...document.querySelectorAll("button")].filter(visible).flatMap((element) => {
      const place = shown(element);
      const { width, height } = element.getBoundingClientRect();
      return place ? [{ name: element.dataset.name, width, height, words: element.innerText.trim(), ...place }] : [];
    });

  const spilled = () => {
    const wide = [...document.querySelectorAll("body *")].filter(
      (element) => visible(element) && shown(element) && element.getBoundingClientRect().right > innerWidth + 1,
    );
    const crowded = [...document.querySelectorAll("button, p, h1, h2, dd, li")].filter(
      (element) => visible(element) && shown(element) && element.scrollWidth > element.clientWidth + 2,
    );
    return [...wide, ...crowded].map((element) => `${element.tagName} ${element.className}: ${element.textContent}`);
  };

  const stored = async () => {
    const held = {
      localStorage: localStorage.length,
      sessionStorage: sessionStorage.length,
      cookies: document.cookie.length,
      indexedDB: (await indexedDB.databases()).length,
      caches: (await caches.keys()).length,
      workers: (await navigator.serviceWorker.getRegistrations()).length,
    };
    return Object.keys(held).filter((name) => held[name]);
  };

  const look = () => ({
    texts: texts(),
    targets: targets(),
    spilled: spilled(),
    scrolls: document.querySelector("[data-name=more]") !== null,
  });

  return { look, stored };
})();
