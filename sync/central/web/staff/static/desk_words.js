// The words of the card desk, and its sentences for what the centre refuses.

import { N_, _, clock, language } from "/page/words.js";
import { centreNow } from "./start.js";
import { journeyWord, wordIn } from "./states.js";
import { dayAndTime, isoOf } from "./time.js";

const CARD = { active: N_("in use"), ended: N_("ended"), blocked: N_("reported lost") };

const CONFLICT = {
  other_name: N_("The names are different."),
  other_birth_date: N_("The birth dates are different."),
  two_visits: N_("Both have arrived today. The visit of the second record ends, and a case for it is opened."),
  same_line: N_("The patient would stand twice in one line. Cancel one of the places first."),
  number_is_lost: N_("The record with the hospital number would go. Merge the other way round."),
};

const REFUSED_CARD = {
  phone: N_("A phone was held. A phone changes its number, so it cannot be bound."),
  random_id: N_("This card changes its number, so it cannot be bound."),
  hold_one_card: N_("More than one card was read. Ask for one card alone."),
  unreadable: N_("The card could not be read. Ask to hold it still."),
  lift_again: N_("The card lay on the reader before. Ask to lift it and hold it again."),
  short_uid: N_("This site accepts no cards of this kind."),
};

// What a person reads for a code, where this page knows more than every page does.
const SENTENCES = {
  possible_double: N_("Another record came meanwhile that may be of the same person. Look again."),
  patient_exists: N_("A patient has this hospital number already. Search for the number."),
  kiosk_away: N_("This kiosk has not called for minutes. It may be off or without a network. Choose another one."),
  kiosk_taken: N_("Somebody else awaits a card at this kiosk now. Choose another one, or wait a minute."),
  no_card_read: N_("The card was used or discarded, or it was read too long ago. Ask for it again."),
  changed_meanwhile: N_("Something has changed meanwhile. Look at it again."),
  decided_elsewhere: N_("The hospital's other system decides this."),
  unusable_card: N_("This site accepts no cards of this kind."),
  same_patient: N_("Both numbers are the same patient's already."),
};

export const cardWord = (name) => wordIn(CARD, name);
export const conflictWords = (name) => wordIn(CONFLICT, name);
export const refusedCardWords = (name) => (REFUSED_CARD[name] ? _(REFUSED_CARD[name]) : _("This card cannot be bound."));

/** What went wrong, as a sentence. */
export function faultOf({ code, error, body }) {
  if (SENTENCES[code]) return _(SENTENCES[code]);
  if (code === "not_allowed" && body?.journey_state) {
    return _("That is not possible now. Where the patient stands: {state}.", { state: journeyWord(body.journey_state) });
  }
  if (code === "malformed") return wrongField(error);
  return error;
}

const FIELDS = [
  [/^birth_date/, N_("The birth date is no date, or it is in the future.")],
  [/^name/, N_("The name is empty, too long, or holds a character that nobody sees.")],
  [/^patient_id/, N_("This hospital number cannot be used.")],
  [/^scheduled_at/, N_("The time is no time, or its day has ended.")],
];

function wrongField(error) {
  const [, found] = FIELDS.find(([pattern]) => pattern.test(error)) ?? [];
  return found ? _(found) : error;
}

/** A birth date with the age, such as "1958-03-02 (68)"; a word where it is not known. */
export function born(date) {
  if (!date) return _("Birth date unknown");
  return _("{date} (age {age})", { date, age: String(ageOf(date)) });
}

function ageOf(date) {
  const today = isoOf(centreNow()); // of the site, whatever the machine's own zone
  const isBefore = today.slice(5, 10) < date.slice(5, 10);
  return Math.max(0, Number(today.slice(0, 4)) - Number(date.slice(0, 4)) - (isBefore ? 1 : 0));
}

/** The name of a language in the language in use. */
export const languageName = (tag) => new Intl.DisplayNames([language()], { type: "language" }).of(tag) ?? tag;

/** When a booking is. */
export function whenOf({ scheduled_at: at, all_day: allDay }) {
  const day = dayAndTime(at.slice(0, 10));
  return allDay ? _("{day}, any time", { day }) : _("{day}, {time}", { day, time: clock(at) });
}

/** The time of day of an ISO 8601 time, to the second. */
export const toTheSecond = (moment) => moment.slice(11, 19);
