// The words for steps, times and people that cases name. What is not here, which a site has added, is shown as it is.

import { N_ } from "/page/words.js";
import { wordIn } from "./states.js";

const STEPS = {
  scan_nfc: N_("Check-in by card"),
  register: N_("Registration"),
  confirm_arrival: N_("Confirmation of arrival"),
  enter_exam_room: N_("Going into the exam room"),
  complete_exam: N_("End of the exam"),
  make_payment: N_("Payment"),
  leave_hospital: N_("Leaving the hospital"),
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

export const stepWord = (action) => wordIn(STEPS, action);
export const qualityWord = (quality) => wordIn(QUALITIES, quality);
export const whyKept = (why) => wordIn(WHY_KEPT, why);
export const settledWord = (how) => wordIn(SETTLED, how);
