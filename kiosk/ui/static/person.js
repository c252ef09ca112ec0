// The settings of the person at the screen: language, contrast, size, posture. They stay in memory alone, and the next
// person starts with the kiosk's own.

import { setLanguage } from "/page/words.js";

const ZOOMS = [1, 1.5, 2];

/** The settings of one person. */
export class Person {
  /** `onChange` is called after every change. */
  constructor(onChange) {
    this.onChange = onChange;
    this.siteLanguage = "en";
    this.served = false;
    this.reset();
  }

  /** Sets everything to the kiosk's own. */
  reset() {
    this.chosenLanguage = null;
    this.zoom = 1;
    this.contrast = false;
    this.low = false;
    this.patientLanguage = null;
    this.patientId = null;
    this.apply();
  }

  /** Whether any setting differs from the kiosk's own. */
  get isChanged() {
    return this.chosenLanguage !== null || this.zoom !== 1 || this.contrast || this.low;
  }

  /** The language of the screen: the chosen one, the patient's in the roster, or the site's first. */
  get language() {
    return this.chosenLanguage ?? this.patientLanguage ?? this.siteLanguage;
  }

  /** Follows the patient on a screen. Settings made before a tap stay; another patient starts with the kiosk's own. While
   *  the centre is asked who holds a card, the person has no name yet, and keeps the settings when the answer brings one. */
  updateFor(screen, tags) {
    this.siteLanguage = tags[0] ?? this.siteLanguage;
    const next = screen.patient?.patient_id ?? null;
    const isFree = screen.screen === "attract";
    if (isFree && this.served) this.reset();
    this.served = !isFree;
    if (next !== null && next !== this.patientId) {
      if (this.patientId !== null) this.reset();
      this.patientId = screen.lookup === "asked" ? null : next;
      this.patientLanguage = tags.includes(screen.patient.language) ? screen.patient.language : null;
    }
    this.apply();
  }

  /** Sets the language that was pressed. */
  choose(tag) {
    this.change({ chosenLanguage: tag });
  }

  /** Enlarges the page one step, and after the last step resets it. */
  magnify() {
    this.change({ zoom: ZOOMS[(ZOOMS.indexOf(this.zoom) + 1) % ZOOMS.length] });
  }

  /** Turns the high contrast on or off. */
  toggleContrast() {
    this.change({ contrast: !this.contrast });
  }

  /** Turns the low layout on or off. */
  toggleLow() {
    this.change({ low: !this.low });
  }

  change(settings) {
    Object.assign(this, settings);
    this.apply();
    this.onChange();
  }

  apply() {
    const root = document.documentElement;
    root.style.setProperty("--zoom", this.zoom);
    root.classList.toggle("zoomed", this.zoom > 1);
    root.classList.toggle("contrast", this.contrast);
    root.classList.toggle("low", this.low);
    setLanguage(this.language);
  }
}
