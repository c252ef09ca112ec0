// Draws the page from a model. The same model always looks the same; only scroll position and focus are kept.

import { showHead, showSteps, showTime, showTools, showWays } from "./controls.js";
import { dialogOpen, openHelp, showCards, showDemoStrip, showHelp } from "./dialogs.js";
import { button, fill, h, icon } from "/page/dom.js";
import { attract } from "./screens/attract.js";
import { refusedCard, unknownCard } from "./screens/cards.js";
import { deskCard } from "./screens/desk.js";
import { apart, journey } from "./screens/journey.js";
import { outage, starting } from "./screens/outage.js";
import { stillHere } from "./screens/still_here.js";
import { _, language } from "/page/words.js";

const SLACK_PX = 6; // shadows and borders, nothing to scroll for

const SCREENS = {
  attract,
  journey,
  unknown_card: unknownCard,
  refused_card: refusedCard,
  desk_card: deskCard,
  still_here: stillHere,
  starting,
};

const at = (id) => document.getElementById(id);

/** Draws the whole page. */
export function draw(model) {
  const { screen, person } = model;
  document.title = _("Check-in kiosk");
  showHead(screen, person);
  showSteps(screen);
  showTools(screen, person);
  showWays(screen, { home: model.leave, back: model.leave, help: openHelp, nothingToLeave: model.nobody });
  showDemoStrip(model.demo);
  showHelp(screen, model);
  if (model.cards) showCards(model.cards, model.present);
  drawBanner(model);
  drawContent(model);
  const canKeep = model.forSettings || (screen?.keeps_left ?? 0) > 0;
  showTime(model.left, { stay: screen?.stay, keep: model.keep, canKeep, forSettings: model.forSettings });
  drawMore();
}

/** Draws the button that scrolls down, where there is more than fits: nobody has to drag. */
export function drawMore() {
  const box = getComputedStyle(at("sheet")).overflowY === "auto" ? at("sheet") : at("content");
  const hidden = box.scrollHeight - box.clientHeight;
  const atEnd = box.scrollTop >= hidden - SLACK_PX;
  const way = hidden <= SLACK_PX ? "" : atEnd ? "up" : "down";
  const shown = `${way} ${language()}`;
  if (at("more").dataset.shown === shown) return;
  at("more").dataset.shown = shown;
  const move = () => box.scrollTo({ top: atEnd ? 0 : box.scrollTop + box.clientHeight * 0.8 });
  fill(at("more"), way && button("more", "more", way, atEnd ? _("Back to the top") : _("See more"), move));
}

function drawContent(model) {
  const content = at("content");
  const { kind, screen } = model;
  const trouble = model.trouble && _(model.trouble);
  const view = kind in SCREENS ? SCREENS[kind]({ ...model, trouble }) : outage(screen, kind === "away" ? kind : screen.reason);
  // The same screen keeps scroll position and focus. Another one begins at its top, where a screen reader starts.
  const key = [kind, screen?.patient?.patient_id, screen?.journey?.journey_state, screen?.said?.title.text, screen?.desk_card].join();
  const isNew = content.dataset.key !== key;
  content.dataset.key = key;
  content.dataset.screen = kind;
  content.dataset.stay = screen?.stay ?? "";
  content.dataset.patient = screen?.patient?.patient_id ?? "";
  content.classList.toggle("fresh", isNew);
  if (isNew) content.replaceChildren();
  fill(content, view);
  if (!isNew) return;
  content.scrollTop = at("sheet").scrollTop = 0;
  delete content.dataset.lost;
  if (!dialogOpen()) content.querySelector("h1").focus({ preventScroll: true });
}

function drawBanner({ screen, nobody, away }) {
  const lines = away && !nobody ? [_("The kiosk does not answer. Please wait a moment.")] : [];
  if (screen && !nobody) lines.push(...apart(screen));
  const paragraphs = lines.filter(Boolean).map((line) => h("p", {}, line));
  fill(at("banner"), paragraphs.length > 0 && [icon("apart"), h("div", {}, paragraphs)]);
}
