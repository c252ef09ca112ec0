// The page: the daemon's screen, the person's settings, and the press under way. It is drawn again whenever one of these
// changes.

import { Actions } from "/client/actions.js";
import { secondsLeft, showPassing } from "./controls.js";
import { Countdown } from "./countdown.js";
import { Daemon } from "./daemon.js";
import { DeadTime } from "./dead_time.js";
import { closeDialogs } from "./dialogs.js";
import { draw, drawMore } from "./drawing.js";
import { watchFingers } from "./finger.js";
import { keepMeasure, millimetre } from "./millimetre.js";
import { Person } from "./person.js";
import { N_, loadCatalogs, offered } from "/page/words.js";

const SETTINGS_STAY_S = 60;
const GRACE_MS = 2_000; // how long the daemon may be silent before the page says so
const TOUCH_EVERY_MS = 2_000; // the daemon hears of touches so often at most
const NOBODY = ["attract", "out_of_order"];

class Page {
  constructor(start) {
    loadCatalogs(start.catalogs);
    this.demo = start.demo;
    this.cards = null;
    this.screen = null;
    this.away = false;
    this.expired = false;
    this.pressed = null;
    this.trouble = null;
    this.person = new Person(() => this.settingsChanged());
    this.measure = keepMeasure(start.display, this.person);
    this.daemon = new Daemon(
      (screen) => this.receiveScreen(screen),
      (reachable) => this.setReachable(reachable),
      () => this.shutOut(),
    );
    this.actions = new Actions((action, attempt) => this.daemon.perform(action, attempt));
    this.deadTime = new DeadTime(start.dead_ms, () => this.draw());
    this.touchedAt = -Infinity;
    this.countdown = new Countdown(
      (left, share, soon) => this.passTime(left, share, soon),
      () => this.timeIsUp(),
    );
  }

  start() {
    this.person.siteLanguage = document.documentElement.lang;
    this.person.apply();
    this.draw();
    this.daemon.start();
    for (const id of ["content", "sheet"]) document.getElementById(id).addEventListener("scroll", drawMore);
    window.addEventListener("resize", () => this.draw());
    const isPresent = ({ dataset: { stay } }) => stay === undefined || stay === this.screen?.stay;
    watchFingers({ isPresent, touched: () => this.touch(), mm: millimetre });
    window.addEventListener("contextmenu", (event) => event.preventDefault());
    document.fonts.ready.then(drawMore);
    if (this.demo) this.fetchCards();
  }

  // The daemon.

  receiveScreen(screen) {
    const before = this.screen;
    const hasNews = this.expired || !before || contentOf(screen) !== contentOf(before);
    const samePerson = before?.screen === screen.screen && before.patient?.patient_id === screen.patient?.patient_id;
    if (before?.stay !== screen.stay) this.touchedAt = -Infinity;
    this.screen = screen;
    this.expired = false;
    if (!samePerson) closeDialogs();
    if (!samePerson || before.next_action !== screen.next_action) this.trouble = null;
    this.person.updateFor(screen, offered(screen.languages));
    this.deadTime.follow(screen);
    this.setTime();
    document.documentElement.dataset.frame = screen.frame;
    // A screen of the same content is not drawn again: a finger may be on a button.
    if (hasNews) this.draw();
  }

  setReachable(reachable) {
    if (reachable) {
      clearTimeout(this.grace);
      this.grace = null;
      if (this.away) this.setAway(false);
    } else if (!this.away) {
      this.grace ??= setTimeout(() => this.setAway(true), GRACE_MS);
    }
  }

  setAway(away) {
    this.away = away;
    this.draw();
  }

  // The daemon sends no more screens, so the person who is shown may have left long ago.
  shutOut() {
    if (this.away && this.nobody) return;
    this.away = true;
    this.timeIsUp();
  }

  // The person.

  settingsChanged() {
    if (this.nobody) this.setTime();
    this.draw();
  }

  async press(event) {
    // What was under the finger when it went down, whatever the screen shows now.
    const { offer, action, patient } = event.currentTarget.dataset;
    if (this.busy || offer !== this.screen.offer) return;
    const pressed = { offer };
    this.pressed = pressed;
    this.trouble = null;
    this.draw();
    const answer = await this.actions.act(offer, { action_type: action, payload: { patient_id: patient }, offer });
    // Another person may have come and pressed meanwhile.
    if (this.pressed !== pressed) return;
    if (this.busy) this.trouble = this.troubleOf(answer);
    this.pressed = null;
    this.draw();
  }

  async leave(event) {
    const { name, stay } = event.currentTarget.dataset;
    if (closeDialogs() && name === "back") return;
    if (this.nobody) {
      this.resetSettings();
      return;
    }
    event.currentTarget.disabled = true;
    // The person leaves the screen even where the daemon does not answer.
    if (!(await this.daemon.send("leave", { stay })) && stay === this.screen.stay) this.timeIsUp();
  }

  async keep(event) {
    if (this.nobody) {
      this.settingsChanged();
      return;
    }
    event.currentTarget.disabled = true;
    await this.daemon.send("keep", { stay: event.currentTarget.dataset.stay });
    this.draw();
  }

  async setPace(event) {
    const { stay } = event.currentTarget.dataset;
    await this.daemon.send("pace", { stay, slow: !this.screen.slow });
  }

  /** Tells the daemon that the person is there. Hidden data comes back by its own button alone. */
  touch() {
    if (this.nobody || this.kind === "still_here") return;
    if (performance.now() - this.touchedAt < TOUCH_EVERY_MS) return;
    this.touchedAt = performance.now();
    this.daemon.send("touch", { stay: this.screen.stay });
  }

  async goOn(event) {
    await this.daemon.send("touch", { stay: event.currentTarget.dataset.stay });
  }

  resetSettings() {
    this.person.reset();
    if (this.screen?.slow) this.daemon.send("pace", { stay: this.screen.stay, slow: false });
    this.settingsChanged();
  }

  // Time.

  get forSettings() {
    return this.nobody && (this.person.isChanged || Boolean(this.screen?.slow));
  }

  setTime() {
    this.countdown.set(this.forSettings ? SETTINGS_STAY_S : (this.screen?.remaining_s ?? null));
  }

  passTime(left, share, soon) {
    showPassing(left, share, soon);
    if (this.countdown?.shouldAnnounce()) {
      document.getElementById("spoken").textContent = secondsLeft(Math.ceil(left), this.forSettings);
    }
  }

  // The daemon clears the screen. Where it does not answer, the page does, so that the next person sees no data.
  timeIsUp() {
    if (this.nobody) {
      this.resetSettings();
      return;
    }
    this.expired = true;
    closeDialogs();
    this.person.reset();
    this.setTime();
    this.draw();
  }

  // Drawing.

  /** Whether no person is on the screen. */
  get nobody() {
    return this.expired || !this.screen || NOBODY.includes(this.screen.screen) || this.screen.desk_card === "ready";
  }

  /** Whether the action of the screen is under way. */
  get busy() {
    return Boolean(this.pressed) && this.pressed.offer === this.screen.offer;
  }

  get kind() {
    if (this.away && this.nobody) return "away";
    if (!this.screen) return "starting";
    return this.expired ? "attract" : this.screen.screen;
  }

  draw() {
    this.measure();
    draw({
      kind: this.kind,
      screen: this.expired ? { ...this.screen, patient: null, journey: null, ticket: null, way: 0, step: 0 } : this.screen,
      person: this.person,
      nobody: this.nobody,
      away: this.away,
      busy: this.busy,
      trouble: this.trouble,
      left: this.countdown.left,
      forSettings: this.forSettings,
      demo: this.demo,
      cards: this.cards,
      press: (event) => this.press(event),
      leave: (event) => this.leave(event),
      keep: (event) => this.keep(event),
      setPace: (event) => this.setPace(event),
      goOn: (event) => this.goOn(event),
      present: (uid) => this.present(uid),
    });
    this.deadTime.mark();
    this.countdown.step();
  }

  troubleOf(answer) {
    if (answer?.ok) return null;
    if (!answer) return N_("There is no answer. Press again, or go to the desk.");
    // A refusal comes with a screen that shows it: by a note, or by another person.
    return this.screen.said?.notes.some(({ kind }) => kind === "refused") ? null : N_("That could not be done. Please go to the desk.");
  }

  // The demo.

  async fetchCards() {
    const answer = await this.daemon.fetch("GET", "/api/v1/demo/cards");
    if (answer?.status !== 200) return;
    this.cards = answer.body;
    this.draw();
  }

  async present(uid) {
    const answer = await this.daemon.fetch("POST", "/api/v1/demo/cards", { uid });
    if (answer?.status === 200) closeDialogs();
  }
}

/** The content of a screen, without its frame number and its time. */
function contentOf(screen) {
  return JSON.stringify({ ...screen, frame: null, remaining_s: null });
}

new Page(JSON.parse(document.getElementById("start").textContent)).start();
