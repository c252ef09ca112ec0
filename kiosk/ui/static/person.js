// How the person at the screen wants it: language, contrast, size, posture. It is theirs alone: it lives in memory, and
// the next person starts with the kiosk's own.

import { speak } from "./words.js";

const ZOOMS = [1, 1.5, 2];

/** The settings of whoever stands here. */
export class Person {
  /** `changed` is called after every change. */
  constructor(changed) {
    this.changed = changed;
    this.own = "en";
    this.served = false;
    this.reset();
  }

  /** Everything as the kiosk has it for nobody in particular. */
  reset() {
    this.chosen = null;
    this.zoom = 1;
    this.contrast = false;
    this.low = false;
    this.preferred = null;
    this.here = null;
    this.apply();
  }

  /** Whether anything differs from that. */
  get touched() {
    return this.chosen !== null || this.zoom !== 1 || this.contrast || this.low;
  }

  /** The language spoken to them: what they chose, what the hospital knows of them, or the kiosk's first. */
  get language() {
    return this.chosen ?? this.preferred ?? this.own;
  }

  /** Takes note of whom a screen is for. Settings made before a tap are the tapper's; another patient starts afresh. */
  meet(screen, tags) {
    this.own = tags[0] ?? this.own;
    const next = screen.patient?.patient_id ?? null;
    const nobody = screen.screen === "attract";
    if (nobody && this.served) this.reset();
    this.served = !nobody;
    if (next !== null && next !== this.here) {
      if (this.here !== null) this.reset();
      this.here = next;
      this.preferred = tags.includes(screen.patient.language) ? screen.patient.language : null;
    }
    this.apply();
  }

  /** They press a language. */
  choose(tag) {
    this.change({ chosen: tag });
  }

  /** They press the magnifier: larger, larger still, and back. */
  magnify() {
    this.change({ zoom: ZOOMS[(ZOOMS.indexOf(this.zoom) + 1) % ZOOMS.length] });
  }

  /** They press the high contrast. */
  toggleContrast() {
    this.change({ contrast: !this.contrast });
  }

  /** They press the low layout. */
  toggleLow() {
    this.change({ low: !this.low });
  }

  change(settings) {
    Object.assign(this, settings);
    this.apply();
    this.changed();
  }

  apply() {
    const root = document.documentElement;
    root.style.setProperty("--zoom", this.zoom);
    root.classList.toggle("zoomed", this.zoom > 1);
    root.classList.toggle("contrast", this.contrast);
    root.classList.toggle("low", this.low);
    speak(this.language);
  }
}
