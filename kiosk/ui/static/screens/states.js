// The words that this screen alone needs, as tables: steps, look-ups, refused cards, outages. What has no row gets words
// that are always true. The words for journeys and queue entries come with the daemon's screen.

import { N_ } from "/page/words.js";

/** Per step of a way through the hospital: its word and its icon. */
export const STEPS = {
  card: { text: N_("Card"), icon: "card" },
  register: { text: N_("Register"), icon: "form" },
  arrive: { text: N_("Arrive"), icon: "arrive" },
  wait: { text: N_("Wait"), icon: "ticket" },
  exam: { text: N_("Exam"), icon: "exam" },
  pay: { text: N_("Pay"), icon: "pay" },
  leave: { text: N_("Leave"), icon: "leave" },
};

/** For a step without a row. */
export const ANY_STEP = { text: N_("Go on"), icon: "next" };

/** Per answer of the centre about a card that the kiosk does not know: what is known of it, and what its holder can do. */
export const LOOKUPS = {
  asked: { title: N_("We are checking your card"), lead: N_("One moment, please") },
  unknown: {
    title: N_("This card is not registered"),
    lead: N_("You can check in. The staff at the desk will then ask who you are."),
  },
  unavailable: {
    title: N_("Your card cannot be looked up now"),
    lead: N_("You can check in all the same. The desk may ask who you are."),
  },
};

/** For an answer without a row. */
export const ANY_LOOKUP = LOOKUPS.unavailable;

/** Instead of these leads, on a kiosk that may not check anybody in. */
export const NO_CHECK_IN = N_("You cannot check in with this card at this kiosk.");

/** Per reason why a card is refused: what it is, and what to do instead. A lead may name the desk; it then has a form
 *  for a kiosk that knows of none. */
export const REFUSALS = {
  phone: {
    title: N_("A phone cannot be used here"),
    lead: N_("Please hold your patient card itself to the reader, without a phone or a wallet."),
    icon: "phone",
  },
  random_id: {
    title: N_("This card cannot be used here"),
    lead: N_("This type of card cannot be used for check-in. Please hold your patient card to the reader."),
    icon: "card",
  },
  no_stable_id: {
    title: N_("This card cannot be used here"),
    lead: N_("This type of card cannot be used for check-in. Please hold your patient card to the reader."),
    icon: "card",
  },
  short_uid: {
    title: N_("This hospital does not accept this type of card"),
    lead: N_("Please go to the desk: {desk}"),
    leadWithoutDesk: N_("Please go to the staff at the desk."),
    icon: "staff",
  },
  bank_card: {
    title: N_("A bank card cannot be used here"),
    lead: N_("Nothing was charged. Please take your patient card out of the wallet and hold it to the reader."),
    icon: "pay",
  },
  passport: {
    title: N_("A passport or ID card cannot be used here"),
    lead: N_("Please hold your patient card to the reader instead."),
    icon: "card",
  },
  unknown_form: {
    title: N_("This card cannot be used here"),
    lead: N_("This kiosk does not know this type of card. Please hold your patient card to the reader."),
    icon: "card",
  },
  hold_one_card: {
    title: N_("Please hold one card"),
    lead: N_("More than one card was read. Take your card out and hold it alone."),
    icon: "card",
  },
  blocked_card: {
    title: N_("This card has been reported lost"),
    lead: N_("Please go to the desk: {desk}"),
    leadWithoutDesk: N_("Please go to the staff at the desk."),
    icon: "staff",
  },
  unreadable: {
    title: N_("The card could not be read"),
    lead: N_("Take it away, then hold it still on the reader for two seconds."),
    icon: "card",
  },
  in_use: {
    title: N_("The card could not be read"),
    lead: N_("The reader is busy right now. Please hold the card again in a moment, or go to the desk."),
    icon: "card",
  },
  lift_again: {
    title: N_("Please hold your card again"),
    lead: N_("Please lift the card, wait a moment and hold it to the reader again."),
    icon: "card",
  },
};

/** For a reason without a row. */
export const ANY_REFUSAL = {
  title: N_("This card cannot be used here"),
  lead: N_("Please use your patient card."),
  icon: "card",
};

/** Per reason of an outage: what is out of order. */
export const OUTAGES = {
  reader: N_("The card reader does not work."),
  store: N_("Check-ins cannot be saved."),
  not_enrolled: N_("This kiosk is not set up yet."),
  away: N_("The screen has lost its connection."),
};

/** For a reason of an outage without a row. */
export const ANY_OUTAGE = N_("Something is out of order.");

/** Per state of a card for the desk: what is asked, and what has become of the card. */
export const DESK_CARDS = {
  ready: {
    title: N_("Card reader of the desk"),
    lead: N_("Hold a card to the reader. The staff see it on their screen. Nobody is checked in here."),
    icon: "card",
  },
  waits: {
    title: N_("Desk: please hold the new card here"),
    lead: N_("This checks nobody in. The staff at the desk will go on with the card."),
    icon: "card",
  },
  sends: { title: N_("The card was read"), lead: N_("One moment, please."), icon: "card" },
  taken: { title: N_("The card was read"), lead: N_("The staff at the desk go on with it now."), icon: "check" },
  late: { title: N_("The desk no longer waits for a card"), lead: N_("Please ask the staff at the desk."), icon: "staff" },
  not_sent: {
    title: N_("The card did not reach the desk"),
    lead: N_("There is no connection right now. Please ask the staff at the desk."),
    icon: "staff",
  },
  refused: { title: N_("This card cannot be used here"), lead: N_("Please hold another card."), icon: "card" },
};
