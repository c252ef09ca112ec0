// Bookings by hand: made, moved, cancelled.

import { h } from "/page/dom.js";
import { _ } from "/page/words.js";
import { perform } from "./desk_calls.js";
import { examChoices } from "./desk_register.js";
import { whenOf } from "./desk_words.js";
import { ask } from "./dialog.js";

/** Books a patient. */
export async function book(frame, person) {
  const values = await askWhen(frame, { title: _("Book: {name}", { name: person.name }), exam: "", day: frame.today, time: "" });
  if (values === null) return;
  const body = { exam_id: values.exam_id, scheduled_at: momentOf(values) };
  await perform(`/desk/patients/${encodeURIComponent(person.patient_id)}/bookings/`, body, { done: () => _("The booking is made.") });
}

/** Gives a booking another exam or another time. */
export async function move(frame, booking) {
  const [day, time = ""] = booking.scheduled_at.split("T");
  const owner = booking.made_by ? [] : [h("p", { class: "notice mild" }, _("The hospital's system has made this booking. Its next document about it has the last word."))];
  const values = await askWhen(frame, { title: _("Move the booking"), exam: booking.exam_id, day, time: time.slice(0, 5), content: owner });
  if (values === null) return;
  const body = { exam_id: values.exam_id, scheduled_at: momentOf(values) };
  await perform(`/desk/bookings/${encodeURIComponent(booking.appointment_id)}/move/`, body, { done: () => _("The booking is moved.") });
}

/** Cancels a booking. */
export async function cancel(booking) {
  const values = await ask({
    title: _("Cancel the booking?"),
    text: `${whenOf(booking)} · ${booking.exam_name}`,
    fields: [{ name: "reason", label: _("Reason"), kind: "area", max: 500 }],
    confirm: _("Cancel booking"),
    kind: "danger",
  });
  if (values === null) return;
  await perform(`/desk/bookings/${encodeURIComponent(booking.appointment_id)}/cancel/`, values, { done: () => _("The booking is cancelled.") });
}

function askWhen(frame, { title, exam, day, time, content = [] }) {
  return ask({
    title,
    content,
    fields: [
      { name: "exam_id", label: _("Exam"), kind: "choice", value: exam, choices: examChoices(frame) },
      { name: "day", label: _("Day"), kind: "date", value: day, required: true },
      { name: "time", label: _("Time"), kind: "time", value: time, hint: _("Leave it empty for any time of the day.") },
    ],
    confirm: _("Save"),
  });
}

const momentOf = ({ day, time }) => (time ? `${day}T${time}` : day);
