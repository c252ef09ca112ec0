// The words for states, steps, times and people that cases name. What is not here, which a site has added, is shown as it is.

import { N_, _ } from "/page/words.js";

const ENTRIES = {
  waiting: N_("Waiting"),
  delayed: N_("Delayed"),
  called: N_("Called"),
  no_show: N_("Did not come"),
  in_progress: N_("In the exam"),
  completed: N_("Done"),
  cancelled: N_("Cancelled"),
};

const JOURNEYS = {
  UNREGISTERED: N_("Not checked in"),
  ARRIVED: N_("Arrived"),
  REGISTERED: N_("Registered"),
  WAITING: N_("Waiting"),
  CALLED: N_("Called"),
  IN_PROGRESS: N_("In the exam"),
  COMPLETED: N_("Exam done"),
  PAYMENT: N_("At the payment"),
  FINISHED: N_("Paid"),
};

const STEPS = {
  scan_nfc: N_("Check-in by card"),
  register: N_("Registration"),
  confirm_arrival: N_("Confirmation of arrival"),
  enter_exam_room: N_("Going into the exam room"),
  complete_exam: N_("End of the exam"),
  make_payment: N_("Payment"),
  leave_hospital: N_("Leaving the hospital"),
};

const BOOKINGS = {
  booked: N_("Booked"),
  arrived: N_("Arrived"),
  waiting: N_("Waiting"),
  in_progress: N_("In the exam"),
  completed: N_("Done"),
  no_show: N_("Did not come"),
  cancelled: N_("Cancelled"),
};

const QUALITIES = {
  measured: N_("exact"),
  synchronised: N_("exact"),
  claimed: N_("by the kiosk's clock, which may be wrong"),
  received: N_("when it came; the true time is not known"),
};

const WHY_KEPT = {
  others_acted: N_("others have acted since"),
  money: N_("money has moved"),
  staff_decided: N_("staff had let it count"),
  other_rules: N_("the rules have changed"),
};

const SETTLED = { apply: N_("It counts"), discard: N_("It does not count"), reassign: N_("Assigned to a patient") };

const word = (words, name) => (words[name] ? _(words[name]) : String(name ?? ""));

export const entryWord = (state) => word(ENTRIES, state);
export const journeyWord = (state) => word(JOURNEYS, state);
export const stepWord = (action) => word(STEPS, action);
export const bookingWord = (status) => word(BOOKINGS, status);
export const qualityWord = (quality) => word(QUALITIES, quality);
export const whyKept = (why) => word(WHY_KEPT, why);
export const settledWord = (how) => word(SETTLED, how);
