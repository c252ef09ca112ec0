// The length of a millimetre on this glass, and the shape of the page that follows from it. (The unit `mm` of CSS is no
// real millimetre.)

// A window that differs less than this from the configured screen is that screen, perhaps with a bar of the browser.
const SAME = 0.15;

// A layout with fewer lines of the smallest type than this is compact.
const LEAST_LINES = { wide: 18.5, tall: 26 };
const HANGUL_PER_EM = 0.88; // as in look.css

/**
 * Returns the CSS pixels of a millimetre. `display` is the configured screen in device pixels, `view` the window in CSS
 * pixels with its device pixel ratio. In any other window, such as a developer's, the screen is shown scaled to its area.
 */
export function pixelsPerMm(display, view) {
  const width = view.width * view.ratio;
  const height = view.height * view.ratio;
  const same = Math.abs(width / display.width - 1) <= SAME && Math.abs(height / display.height - 1) <= SAME;
  const scale = same ? 1 : Math.sqrt((width * height) / (display.width * display.height));
  return (display.pixels_per_mm * scale) / view.ratio;
}

/** Sets the page's unit and shape whenever the window changes. Returns a function that sets them now. */
export function keepMeasure(display, person) {
  const root = document.documentElement;
  const strip = document.getElementById("demo");
  root.style.setProperty("--hangul-mm", display.hangul_mm);
  root.style.setProperty("--low-mm", display.low_mm);
  const measure = () => {
    const view = { width: window.innerWidth, height: window.innerHeight, ratio: window.devicePixelRatio };
    const mm = pixelsPerMm(display, view);
    const line = (display.hangul_mm / HANGUL_PER_EM) * mm;
    const height = person.low ? Math.min(view.height, display.low_mm * mm) : view.height;
    const enlarged = person.zoom > 1;
    const shape = view.width > view.height ? "wide" : "tall";
    root.style.setProperty("--mm", `${mm}px`);
    root.classList.toggle("wide", !enlarged && shape === "wide");
    root.classList.toggle("tall", !enlarged && shape === "tall");
    root.classList.toggle("compact", !enlarged && (height - strip.offsetHeight) / line < LEAST_LINES[shape]);
  };
  window.addEventListener("resize", measure);
  return measure;
}

/** Returns the CSS pixels of a millimetre on this page. */
export function millimetre() {
  return parseFloat(document.documentElement.style.getPropertyValue("--mm"));
}
