// The words for the states of entries, journeys and bookings, and for kinds of priority: the same on every page. A name that
// is not here, which a site has added, is shown as it is.

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

const BOOKINGS = {
  booked: N_("Booked"),
  arrived: N_("Arrived"),
  waiting: N_("Waiting"),
  in_progress: N_("In the exam"),
  completed: N_("Done"),
  no_show: N_("Did not come"),
  cancelled: N_("Cancelled"),
};

const KINDS = {
  emergency: N_("Emergency"),
  elderly: N_("Elderly"),
  pregnant: N_("Pregnant"),
  staff: N_("Staff's choice"),
};

/** The word of a table for a name; the name itself where it has none. */
export const wordIn = (table, name) => (table[name] ? _(table[name]) : String(name ?? ""));

/** The word for the state of an entry. */
export const entryWord = (state) => wordIn(ENTRIES, state);

/** The word for the state of a journey. */
export const journeyWord = (state) => wordIn(JOURNEYS, state);

/** The word for the status of a booking. */
export const bookingWord = (status) => wordIn(BOOKINGS, status);

/** The word for a kind of priority. */
export const kindWord = (kind) => wordIn(KINDS, kind);
