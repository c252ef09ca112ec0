// A patient's record as the desk sees it: who it is, today's places, bookings and cards, and what may be done with each.

import { h } from "/page/dom.js";
import { _, ngettext } from "/page/words.js";
import { born, cardWord, languageName, whenOf } from "./desk_words.js";
import { placeOf } from "./places.js";
import { bookingWord, entryWord, journeyWord } from "./states.js";
import { clock, dayAndTime } from "./time.js";

/** Makes the record. `does` has a function for each press, which gets what it is about. */
export function personView(person, does) {
  return [
    h("h2", { id: "desk-name", tabindex: -1 }, person.name, h("span", { class: "badge" }, journeyWord(person.journey_state))),
    facts(person),
    !person.has_number && h("p", { class: "notice mild" }, _("This patient has no hospital number yet. Merge the record once the hospital has one.")),
    h(
      "div",
      { class: "buttons" },
      press("walk-in", _("Into a line"), does.walkIn, "L", "primary"),
      press("book", _("Book"), does.book, "B"),
      press("bind", _("New card"), does.bind, "C"),
      press("change", _("Change details"), does.change, "E"),
      press("merge", _("Merge records"), does.merge, "M"),
    ),
    part(_("Today"), entryRows(person, does), _("No place in a line today.")),
    part(_("Bookings"), bookingRows(person, does), _("No booking from today on.")),
    part(_("Cards"), cardRows(person, does), _("No card.")),
  ];
}

function facts(person) {
  const rows = [
    [_("Number"), person.patient_id],
    [_("Birth date"), born(person.birth_date)],
    [_("Language"), languageName(person.language)],
    [_("On screens"), person.masked_name],
    [_("Merged numbers"), person.other_ids.join(", ")],
  ];
  return h("dl", { class: "facts" }, rows.filter(([, value]) => value).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

function part(title, rows, none) {
  return h("section", {}, h("h3", {}, title), rows.length ? h("ul", { class: "desk-rows" }, rows) : h("p", { class: "hint" }, none));
}

function entryRows(person, does) {
  return person.entries.map((entry) =>
    row(
      entry.live,
      [
        h("strong", { class: "number" }, [entry.queue_number, ...entry.label_aliases].join(", ")),
        h("span", {}, entry.exam_name),
        entry.room && h("span", {}, placeOf(entry.room)),
        h("span", { class: "badge" }, entryWord(entry.state)),
        entry.live && entry.state === "waiting" && h("span", { class: "hint" }, ngettext("{n} ahead", "{n} ahead", entry.people_ahead)),
        h("span", { class: "hint" }, _("since {time}", { time: clock(entry.opened_at) })),
      ],
      entry.live && [press("ticket", _("Ticket copy"), () => does.ticket(entry), "", "small", `${entry.queue_number} ${_("Ticket copy")}`)],
    ),
  );
}

function bookingRows(person, does) {
  return person.bookings.map((booking) =>
    row(
      booking.open,
      [
        h("strong", {}, whenOf(booking)),
        h("span", {}, booking.exam_name),
        booking.room && h("span", {}, placeOf(booking.room)),
        h("span", { class: "badge" }, bookingWord(booking.status)),
        booking.made_by && h("span", { class: "badge mild" }, _("by hand")),
      ],
      [
        (booking.open || booking.cancelled) && press("move", booking.cancelled ? _("Book again") : _("Move"), () => does.move(booking), "", "small"),
        booking.open && press("cancel", _("Cancel booking"), () => does.cancel(booking), "", "small danger"),
      ],
    ),
  );
}

function cardRows(person, does) {
  return person.cards.map((card) =>
    row(
      card.state === "active",
      [
        h("strong", {}, card.label || _("Card without a name")),
        h("span", { class: card.state === "blocked" ? "badge bad" : "badge" }, cardWord(card.state)),
        h("span", { class: "hint" }, _("since {time}", { time: dayAndTime(card.since) })),
        card.reason && h("span", { class: "hint" }, card.reason),
      ],
      [
        card.state === "active" && press("replace", _("Replace"), () => does.replace(card), "", "small"),
        card.state === "active" && press("lost", _("Report lost"), () => does.lost(card), "", "small danger"),
        card.state === "active" && press("unbind", _("Take from the patient"), () => does.unbind(card), "", "small"),
        card.state === "ended" && press("lost", _("Report lost"), () => does.lost(card), "", "small"),
        card.state === "blocked" && press("unblock", _("Unblock"), () => does.unblock(card), "", "small"),
      ],
    ),
  );
}

const row = (isLive, what, buttons) =>
  h("li", { class: isLive ? "" : "over" }, h("div", { class: "what" }, what), h("div", { class: "buttons" }, buttons));

function press(name, text, onclick, key = "", kind = "", spoken = null) {
  const attributes = { type: "button", class: kind, "data-press": name, onclick: () => onclick(), "aria-keyshortcuts": key || null };
  return h("button", { ...attributes, "aria-label": spoken }, text, key && [" ", h("kbd", { "aria-hidden": "true" }, key)]);
}
