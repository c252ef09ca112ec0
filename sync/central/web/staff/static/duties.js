// The duties of people, in words.

import { N_, _ } from "/page/words.js";

const NAMES = {
  exam_room: N_("Exam room"),
  reception: N_("Reception"),
  administrator: N_("Administrator"),
};
const OPENS = {
  exam_room: N_("the board: call and treat patients"),
  reception: N_("the board, the card desk and the exceptions"),
  administrator: N_("people and the access log"),
};

/** All duties, in their order. */
export const DUTIES = Object.keys(NAMES);

/** What a duty is called. */
export const dutyName = (duty) => _(NAMES[duty] ?? duty);

/** What a duty opens. */
export const dutyOpens = (duty) => _(OPENS[duty] ?? duty);
