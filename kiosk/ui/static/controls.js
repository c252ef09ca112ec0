// The controls of every screen: languages, steps, home, back, staff, contrast, size, posture, and the time left.

import { button, fill, h, icon } from "/page/dom.js";
import { ANY_STEP, STEPS } from "./screens/states.js";
import { N_, _, language, ngettext, offered, saidIn } from "/page/words.js";

const OWN_NAME = N_("This language's own name");
const at = (id) => document.getElementById(id);

/** Shows the kiosk's name, and the languages to choose from. */
export function showHead(screen, person) {
  fill(at("name"), icon("hospital"), h("span", {}, screen?.kiosk.name || _("Check-in")));
  at("languages").setAttribute("aria-label", _("Language"));
  const choices = offered(screen?.languages ?? []).map((tag) =>
    h(
      "button",
      {
        type: "button",
        class: "language",
        lang: tag,
        "data-name": `language-${tag}`,
        "data-stay": screen?.stay,
        "aria-pressed": String(tag === language()),
        onclick: () => person.choose(tag),
      },
      tag === language() && icon("check"),
      h("span", {}, saidIn(tag, OWN_NAME)),
    ),
  );
  fill(at("languages"), choices);
}

/** Shows which step of the way this is; nothing before the first screen of the daemon. */
export function showSteps(screen) {
  const { ways = [[]], way = 0, step: now = 0 } = screen ?? {};
  const steps = ways[way].map((name) => STEPS[name] ?? ANY_STEP);
  at("steps").setAttribute("aria-label", _("Steps"));
  const row = steps.map(({ text, icon: picture }, index) =>
    h(
      "li",
      { class: index < now ? "done" : index === now ? "now" : "", "aria-current": index === now ? "step" : false },
      h("span", { class: "dot" }, icon(index < now ? "check" : picture)),
      h("span", { class: "text" }, _(text)),
    ),
  );
  const text = steps.length && _(steps[now].text);
  const short = text && _("Step {now}/{all}: {text}", { now: now + 1, all: steps.length, text });
  fill(at("steps"), h("ol", {}, row), short && h("p", { class: "short" }, short));
}

/** Shows home, back and staff. */
export function showWays(screen, { home, back, help, nothingToLeave }) {
  const ofPerson = { "data-stay": screen?.stay };
  at("ways").setAttribute("aria-label", _("Navigation"));
  fill(
    at("ways"),
    button("home", "way", "home", _("Home"), home, ofPerson),
    button("back", "way", "back", _("Back"), back, { ...ofPerson, disabled: nothingToLeave }),
    button("staff", "way", "staff", _("Staff"), help),
  );
}

/** Shows contrast, size and posture. */
export function showTools(screen, person) {
  const pressed = (on) => ({ "data-stay": screen?.stay, "aria-pressed": String(on) });
  const percent = person.zoom.toLocaleString(language(), { style: "percent" });
  const size = person.zoom > 1 ? percent : _("Zoom");
  // Enlarged, they would take the room of everything else, so they scroll with the content.
  const home = at(person.zoom > 1 ? "sheet" : "rail");
  if (at("tools").parentElement !== home) home.append(at("tools"));
  at("tools").setAttribute("aria-label", _("View"));
  fill(
    at("tools"),
    button("contrast", "tool", "contrast", _("Contrast"), () => person.toggleContrast(), pressed(person.contrast)),
    button("zoom", "tool", "zoom", size, () => person.magnify(), pressed(person.zoom > 1)),
    button("low", "tool", "low", _("Low"), () => person.toggleLow(), pressed(person.low)),
  );
}

/** Shows the time left and the button for more; nothing where there is no limit. */
export function showTime(left, { stay, keep, canKeep, forSettings }) {
  const box = at("time");
  if (left === null) {
    fill(box);
    return;
  }
  const ofPerson = { "data-name": "keep", "data-stay": stay };
  const more = h("button", { type: "button", class: "keep", ...ofPerson, onclick: keep }, _("Keep using"));
  fill(
    box,
    h("div", { class: "bar" }, h("div", { class: "passed" })),
    h("p", { class: "left" }, icon("clock"), seconds(forSettings)),
    canKeep && more,
  );
}

/** Makes a place where `showPassing` writes the seconds left. */
export function seconds(forSettings) {
  return h("span", { class: "seconds", "data-settings": forSettings });
}

/** Shows how the time passes, without drawing the row again. */
export function showPassing(left, share, soon) {
  if (left === null) return;
  const brief = document.documentElement.classList.contains("zoomed");
  const n = Math.ceil(left);
  for (const text of document.querySelectorAll(".seconds")) {
    const words = brief ? ngettext("{n} s", "{n} s", n) : secondsLeft(n, "settings" in text.dataset);
    if (text.textContent !== words) text.textContent = words;
  }
  at("time").style.setProperty("--share", share);
  at("time").classList.toggle("soon", soon);
}

/** Returns the words for the seconds left. */
export function secondsLeft(n, forSettings) {
  return forSettings
    ? ngettext("Reset in {n} second", "Reset in {n} seconds", n)
    : ngettext("{n} second left", "{n} seconds left", n);
}
