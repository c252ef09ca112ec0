// The page: what the daemon says, how the person wants it, and what is being pressed. Whenever one of them changes, it is
// drawn anew.

import { Channel } from "./channel.js";
import { secondsLeft, showPassing } from "./controls.js";
import { Countdown } from "./countdown.js";
import { closeDialogs } from "./dialogs.js";
import { draw, drawMore } from "./drawing.js";
import { keepMeasure } from "./millimetre.js";
import { Person } from "./person.js";
import { Presses } from "./press.js";
import { N_, offered, teach } from "./words.js";

const SETTINGS_STAY_S = 60;
const GRACE_MS = 2_000; // how long the daemon may be away before the page says so
const NOBODY = ["attract", "out_of_order"];

class Page {
  constructor(start) {
    teach(start.catalogs);
    this.demo = start.demo;
    this.cards = null;
    this.screen = null;
    this.away = false;
    this.expired = false;
    this.pressed = null;
    this.trouble = null;
    this.person = new Person(() => this.settingsChanged());
    this.measure = keepMeasure(start.display, this.person);
    this.channel = new Channel(
      (screen) => this.hear(screen),
      (reached) => this.reach(reached),
    );
    this.presses = new Presses(this.channel);
    this.countdown = new Countdown(
      (left, share, soon) => this.pass(left, share, soon),
      () => this.timeIsUp(),
    );
  }

  start() {
    this.person.own = document.documentElement.lang;
    this.person.apply();
    this.draw();
    this.channel.start();
    for (const id of ["content", "sheet"]) document.getElementById(id).addEventListener("scroll", drawMore);
    window.addEventListener("resize", () => this.draw());
    window.addEventListener("contextmenu", (event) => event.preventDefault());
    document.fonts.ready.then(drawMore);
    if (this.demo) this.fetchCards();
  }

  // What comes from outside.

  hear(screen) {
    const before = this.screen;
    const news = this.expired || !before || meaning(screen) !== meaning(before);
    const samePerson = before?.screen === screen.screen && before.patient?.patient_id === screen.patient?.patient_id;
    this.screen = screen;
    this.expired = false;
    if (!samePerson) closeDialogs();
    if (!samePerson || before.next_action !== screen.next_action) this.trouble = null;
    this.person.meet(screen, offered(screen.languages));
    this.setTime();
    document.documentElement.dataset.frame = screen.frame;
    // What says the same is not drawn again: a finger may be on a button.
    if (news) this.draw();
  }

  reach(reached) {
    if (reached) {
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

  // What the person does.

  settingsChanged() {
    if (this.nobody) this.setTime();
    this.draw();
  }

  async press() {
    if (this.busy) return;
    const { next_action: action, patient } = this.screen;
    const pressed = { action, patient_id: patient.patient_id };
    this.pressed = pressed;
    this.trouble = null;
    this.draw();
    const answer = await this.presses.act(action, patient.patient_id);
    // Meanwhile somebody else may have come and pressed.
    if (this.pressed !== pressed) return;
    if (this.busy) this.trouble = this.troubleOf(answer);
    this.pressed = null;
    this.draw();
  }

  async leave(event) {
    const { dataset } = event.currentTarget;
    if (closeDialogs() && dataset.name === "back") return;
    if (this.nobody) {
      this.person.reset();
      this.settingsChanged();
      return;
    }
    event.currentTarget.disabled = true;
    // Whoever wants to go is gone from the screen even where the daemon does not hear it.
    if (!(await this.channel.send("leave"))) this.timeIsUp();
  }

  async keep(event) {
    if (this.nobody) {
      this.settingsChanged();
      return;
    }
    event.currentTarget.disabled = true;
    await this.channel.send("keep");
    this.draw();
  }

  // Time.

  get forSettings() {
    return this.nobody && this.person.touched;
  }

  setTime() {
    this.countdown.set(this.forSettings ? SETTINGS_STAY_S : (this.screen?.remaining_s ?? null));
  }

  pass(left, share, soon) {
    showPassing(left, share, soon);
    if (this.countdown?.tell()) {
      document.getElementById("spoken").textContent = secondsLeft(Math.ceil(left), this.forSettings);
    }
  }

  // The daemon clears the screen; should it be away, nobody's data stays for the next to see.
  timeIsUp() {
    this.expired = true;
    closeDialogs();
    this.person.reset();
    this.setTime();
    this.draw();
  }

  // Drawing.

  /** Whether the screen is nobody's. */
  get nobody() {
    return this.expired || !this.screen || NOBODY.includes(this.screen.screen);
  }

  /** Whether the action on the screen is being done. */
  get busy() {
    const { pressed, screen } = this;
    return Boolean(pressed) && pressed.action === screen.next_action && pressed.patient_id === screen.patient?.patient_id;
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
      press: () => this.press(),
      leave: (event) => this.leave(event),
      keep: (event) => this.keep(event),
      present: (uid) => this.present(uid),
    });
    this.countdown.step();
  }

  troubleOf(answer) {
    if (answer?.ok) return null;
    if (!answer) return N_("There is no answer. Press again, or go to the desk.");
    // A refusal comes with a screen that says it: a notice, or somebody else.
    return this.screen.notice ? null : N_("That could not be done. Please go to the desk.");
  }

  // The demo.

  async fetchCards() {
    const answer = await this.channel.fetch("GET", "/api/v1/demo/cards");
    if (answer?.status !== 200) return;
    this.cards = answer.body;
    this.draw();
  }

  async present(uid) {
    const answer = await this.channel.fetch("POST", "/api/v1/demo/cards", { uid });
    if (answer?.status === 200) closeDialogs();
  }
}

/** What a screen says, without its number and its time. */
function meaning(screen) {
  return JSON.stringify({ ...screen, frame: null, remaining_s: null });
}

new Page(JSON.parse(document.getElementById("start").textContent)).start();
