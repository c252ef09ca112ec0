// What each kind of case is in words: its title, what happened, and what staff check before they settle it.

import { N_, _ } from "/page/words.js";

const CASES = {
  unknown_card: {
    title: N_("Unknown card"),
    happened: N_("Somebody checked in with a card that belongs to nobody here. The kiosk sent the person to the desk."),
    check: N_("Ask who the person is. Assign the case to that patient, and bind the card if it is the patient's."),
  },
  unknown_patient: {
    title: N_("Unknown patient"),
    happened: N_("The kiosk named a patient whom the centre does not know, such as one who was deleted."),
    check: N_("Ask who the person is, and assign the case to that patient."),
  },
  rebound: {
    title: N_("Card of another patient"),
    happened: N_("The card was bound to another patient while the kiosk still knew its former holder. Nobody was checked in."),
    check: N_("Ask who held the card. Assign the case to that patient."),
  },
  blocked_card: {
    title: N_("Card reported lost"),
    happened: N_("A card that was reported lost was held to a kiosk that did not know of the loss yet. Nobody was checked in."),
    check: N_("Ask for an identity card. If it was a stranger, it does not count. If it was the patient, it counts."),
  },
  depends: {
    title: N_("Follows a case that waits"),
    happened: N_("The step was done after another step of the same visit that still waits for staff."),
    check: N_("Settle the step before it first."),
  },
  money: {
    title: N_("Payment does not fit"),
    happened: N_("A payment came for a visit that is not at the payment by now. Money may have moved."),
    check: N_("Look for the payment at the terminal. If it was made, it counts. If not, it does not."),
  },
  proof_missing: {
    title: N_("Payment without a receipt"),
    happened: N_("The kiosk says that a payment was made, and names no receipt of the payment terminal."),
    check: N_("Look for the payment at the terminal before you let it count."),
  },
  proof_used: {
    title: N_("Receipt used twice"),
    happened: N_("The receipt of this payment counts for another visit already."),
    check: N_("Look up the receipt at the terminal. It can be for one visit only."),
  },
  not_allowed: {
    title: N_("Step does not fit"),
    happened: N_("The kiosk accepted a step that does not fit where the patient stands by what the centre knows."),
    check: N_("Ask the patient, or look at the board: did the person do that, and does it still matter?"),
  },
  forbidden: {
    title: N_("Step this kiosk may not do"),
    happened: N_("The kiosk sent a step that it is not set up for, such as a payment at the entrance."),
    check: N_("Tell IT: the kiosk may be set up wrongly or tampered with. Ask the patient before it counts."),
  },
  old_rules: {
    title: N_("Step by old rules"),
    happened: N_("The kiosk was without the network for so long that the centre no longer knows the rules it worked by."),
    check: N_("Ask the patient, or look at the board, whether the step still matters."),
  },
  quarantined: {
    title: N_("Record set aside"),
    happened: N_("The kiosk sent a record that is no valid step, or one that the centre could not judge."),
    check: N_("Give the details below to IT. If a patient says that a check-in is missing, do it at the desk."),
  },
  answers_differ: {
    title: N_("Two different answers"),
    happened: N_("The patient did the same step twice and answered differently. The first answers count."),
    check: N_("Ask the patient which answers are right, and put them right in the hospital's system."),
  },
  two_visits: {
    title: N_("Two visits of one patient"),
    happened: N_("Two records of one person were merged while each was on a visit. The visit of the kept record goes on."),
    check: N_("Look at the patient's lines on the board, and cancel what the patient does not need."),
  },
  corrected: {
    title: N_("Check-in that staff took back"),
    happened: N_("Staff took back the check-in of this visit, and a further step of it has come since."),
    check: N_("Ask who stood at the kiosk. Assign the case to that patient, or discard it."),
  },
  cancelled: {
    title: N_("Booking was cancelled"),
    happened: N_("The patient confirmed the arrival for a booking that had been cancelled or moved. The kiosk did not know that yet."),
    check: N_("Ask the exam room whether the patient can be seen. If so it counts. If not, tell the patient."),
  },
  decided_elsewhere: {
    title: N_("Waits for the other system"),
    happened: N_("The hospital's other system decides this step and has not answered yet."),
    check: N_("Nothing yet. It comes to you if no answer comes in time."),
  },
  not_confirmed: {
    title: N_("Other system did not answer"),
    happened: N_("The hospital's other system decides this step, and did not answer in time."),
    check: N_("Look in the other system whether it has the step. Let it count only if it has."),
  },
  fork: {
    title: N_("Kiosk has gone back in time"),
    happened: N_("The kiosk continues from an earlier point: its disk was copied, restored or replaced. It works on."),
    check: N_("Ask IT whether the disk was changed on purpose. If not, somebody may have copied it."),
  },
  gap: {
    title: N_("Steps of a kiosk are lost"),
    happened: N_("The kiosk lost steps that it had saved, such as after a fault of its disk."),
    check: N_("If patients say that they checked in and are not on the board, check them in at the desk. Tell IT."),
  },
  bad_cursor: {
    title: N_("Kiosk asks for what it never had"),
    happened: N_("The kiosk named a state of the data that the centre never gave it. It was given everything anew."),
    check: N_("Tell IT. Once is harmless. Again and again, somebody may be tampering with the kiosk."),
  },
  replaced_token: {
    title: N_("Copy of a kiosk's key in use"),
    happened: N_("A key of the kiosk was used after a newer one had replaced it: there is a copy of its disk, or its disk was set back."),
    check: N_("Tell IT at once. The kiosk has to be enrolled again."),
  },
  rewritten: {
    title: N_("Kiosk changed a saved step"),
    happened: N_("The kiosk sent another step than the one that it had announced."),
    check: N_("Tell IT: the kiosk may be tampered with."),
  },
  many_cards: {
    title: N_("Too many cards at a kiosk"),
    happened: N_("The kiosk named more cards than a reader can read in that time. Its steps come in slowly until it stops."),
    check: N_("Tell IT: somebody may be trying out cards."),
  },
  not_named: {
    title: N_("Patient the kiosk cannot know"),
    happened: N_("The kiosk sent a step for a patient whom the centre never named to it."),
    check: N_("Ask the patient. If nobody was there, discard it and tell IT."),
  },
  taken_back: {
    title: N_("Step from a time that was taken back"),
    happened: N_("All that this kiosk did in that time was taken back, and a further step of that time has come since."),
    check: N_("Let it count only if you know that the patient did it."),
  },
  not_taken_back: {
    title: N_("Steps that were not taken back"),
    happened: N_("The steps of this kiosk were to be taken back. These stayed, since others had built on them."),
    check: N_("Look at the patient on the board, and correct where the patient stands by hand if it is wrong."),
  },
  reversed: {
    title: N_("Step no longer counts"),
    happened: N_("The kiosk was told that the step counted. The centre was restored since, and it does not count any more."),
    check: N_("Ask the patient where they stand. Do the step at the desk if it is missing."),
  },
  duplicate_number: {
    title: N_("Number printed twice"),
    happened: N_("A kiosk printed a queue number that another patient has today."),
    check: N_("Call both patients by name. Give one of them a new number."),
  },
  booking_moved: {
    title: N_("Booking moved after the call"),
    happened: N_("The hospital moved or cancelled the booking of a patient who had been called already."),
    check: N_("Ask the exam room. The patient stays in the line until staff change it."),
  },
  day_ended: {
    title: N_("Visit ended by a wrong clock"),
    happened: N_("The centre's clock was ahead, and ended the day of a patient who was on a visit. The day was put right."),
    check: N_("Look at the patient on the board, and correct where the patient stands if it is wrong."),
  },
  call_refused: {
    title: N_("Kiosk was refused"),
    happened: N_("The centre refused a call of this kiosk, such as one in the name of another kiosk."),
    check: N_("Tell IT. Until it is mended, the kiosk may be out of date."),
  },
  grants_cut: {
    title: N_("Kiosk asked for more than allowed"),
    happened: N_("The kiosk asked at its enrolment for steps that its code does not allow. It got those of its code."),
    check: N_("If the kiosk misses a button, IT enrols it again with another code. If not, there is nothing to do."),
  },
  enrolment_refused: {
    title: N_("Enrolment refused"),
    happened: N_("Somebody tried to enrol a kiosk, and was refused."),
    check: N_("Ask IT whether they did. If not, tell them of it."),
  },
};

const OTHER = {
  title: N_("Needs a look"),
  happened: N_("The rules cannot decide what this kiosk sent."),
  check: N_("Read the details below. Ask the patient or IT."),
};

const wordsOf = (code) => CASES[code] ?? OTHER;

export const titleOf = (code) => _(wordsOf(code).title);
export const happenedIn = (code) => _(wordsOf(code).happened);
export const checkFor = (code) => _(wordsOf(code).check);
