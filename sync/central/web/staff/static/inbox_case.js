// One case in words: who, what happened, what the kiosk showed, what the centre knew then and knows now.

import { h } from "/page/dom.js";
import { _, clock, language, ngettext } from "/page/words.js";
import { qualityWord, settledWord, stepWord } from "./inbox_names.js";
import { moreOf } from "./inbox_more.js";
import { checkFor, happenedIn, titleOf } from "./inbox_words.js";
import { bookingWord, entryWord, journeyWord } from "./states.js";
import { ago, dayAndTime } from "./time.js";

/** The elements of a case that is open, but for its settlement. `others` are the names of those who have it open too. */
export function caseParts(shown, others) {
  const { code, count, settled_at: settledAt } = shown;
  return [
    h("header", {}, h("h2", { id: "case-title" }, titleOf(code), " ", count > 1 && h("span", { class: "badge mild" }, ngettext("{n} time", "{n} times", count)))),
    others.length > 0 && !settledAt && h("p", { class: "notice mild", role: "status" }, _("Also open at: {names}. Agree on who settles it.", { names: others.join(", ") })),
    settledAt && settlement(shown),
    h("p", { class: "happened" }, happenedIn(code)),
    !settledAt && h("p", { class: "notice" }, h("strong", {}, _("What to check")), " ", checkFor(code)),
    facts(shown),
    screens(shown),
    knowledge(shown),
    moreOf(shown),
  ];
}

function settlement({ settled_at: at, settled_by_name: by, settlement: { how, reason } }) {
  return h(
    "p",
    { class: "notice good", "data-name": "settled" },
    _("{name} settled this case at {time}: {how}", { name: by, time: clock(at), how: settledWord(how) }),
    reason && ` – ${reason}`,
  );
}

function facts(shown) {
  const { patient, kiosk, kiosk_id: kioskId, detail, opened_at: openedAt, last_at: lastAt, count } = shown;
  const rows = [
    [_("Patient"), patient ? personWords(patient) : _("not known to the centre")],
    kioskId && [_("Kiosk"), kioskWords(kiosk, kioskId)],
    detail.action_type && [_("Step"), stepWord(detail.action_type)],
    shown.exams[detail.shown?.exam_id] && [_("Exam"), shown.exams[detail.shown.exam_id]],
    detail.happened_at && [_("Done at"), `${dayAndTime(detail.happened_at)} (${qualityWord(detail.time_quality)})`],
    [_("Waits since"), `${dayAndTime(openedAt)} (${ago(openedAt)})`],
    count > 1 && [_("Last time"), dayAndTime(lastAt)],
    shown.has_card && [_("Card"), cardWords(shown)],
  ];
  return h("dl", { class: "facts" }, rows.filter(Boolean).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

/** A patient with what tells them from another of the same name. */
export function personWords({ name, birth_date: birthDate, patient_id: id }) {
  return [h("strong", {}, name), birthDate && ` · ${birthDate}`, ` · ${id}`];
}

function kioskWords(kiosk, id) {
  if (!kiosk) return id;
  return kiosk.revoked ? _("{kiosk} (no longer in use)", { kiosk: kiosk.name }) : kiosk.name;
}

function cardWords({ card_blocked: isBlocked, may_bind: mayBind }) {
  if (isBlocked) return _("reported lost");
  return mayBind ? _("can be bound with the case") : _("cannot be bound with the case: there are several");
}

function screens({ showed }) {
  if (!showed) return null;
  const { before, button, after, queue_number: number } = showed;
  const rows = [
    before && h("li", {}, _("The screen said:"), " ", quote(before.title), " ", quote(before.lead)),
    before ? h("li", {}, _("The person pressed:"), " ", quote(button)) : h("li", {}, _("A card was held to the reader.")),
    h("li", {}, _("The screen said then:"), " ", quote(after.title), " ", quote(after.lead)),
    number && h("li", {}, _("Number on the ticket:"), " ", h("span", { class: "number" }, number)),
  ];
  return h("section", {}, h("h3", {}, _("What the kiosk showed")), h("ol", { class: "screens" }, rows));
}

function quote(said) {
  return h("q", {}, said[language()] ?? said.en);
}

function knowledge({ detail: { known, shown }, now }) {
  if (!known && !now) return null;
  const rows = [
    shown && [_("The kiosk, at the step"), [journeyWord(shown.journey_state)]],
    known && [_("The centre, when it heard of it"), [known.patient_id ? journeyWord(known.journey_state) : _("knew no such patient")]],
    [_("The centre, now"), now ? stateWords(now) : [_("knows no such patient")]],
  ].filter(Boolean);
  const body = rows.map(([who, words]) => h("tr", {}, h("th", { scope: "row" }, who), h("td", {}, words.map((each) => h("div", {}, each)))));
  return h("section", {}, h("h3", {}, _("Where the patient stood")), h("table", {}, h("tbody", {}, body)));
}

/** Where a patient stands, line by line: the journey, the lines, the bookings. */
export function stateWords({ journey_state: state, queue_details: entries, appointments }) {
  return [
    journeyWord(state),
    ...entries.map((each) => `${each.queue_number} · ${each.exam_name}${each.room && ` · ${each.room}`}: ${entryWord(each.state)}`),
    ...appointments.map(bookingWords),
  ];
}

function bookingWords({ exam_name: exam, scheduled_at: at, status }) {
  return _("Booking: {exam} {time} ({status})", { exam, time: clock(at), status: bookingWord(status) });
}
