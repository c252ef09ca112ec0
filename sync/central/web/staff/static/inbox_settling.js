// The settlement of the case that is shown: what each way would do, the patient who was found, and the act itself.

import { newId } from "/client/actions.js";
import { _ } from "/page/words.js";
import { act, post } from "./api.js";

const DATE = /(?:^|\s)(\d{4})[-./]?(\d\d)[-./]?(\d\d)\.?(?=\s|$)/; // 1970-01-31, 1970.01.31. or 19700131

/** The words of a search, and the birth date in it, if any. */
function partsOf(query) {
  const found = DATE.exec(query);
  if (!found) return { text: query, birthDate: null };
  const [whole, year, month, day] = found;
  return { text: query.replace(whole, " ").trim(), birthDate: `${year}-${month}-${day}` };
}

/**
 * What staff have chosen for one case, and what the centre says that it would do. `changed` draws it again, `chosen` hears that
 * another patient was chosen.
 */
export class Settling {
  effects = {}; // by the way: what it would do; absent while it is asked for
  query = "";
  found = null; // the patients of the last search; null before one
  failed = ""; // why the search has no result
  isSearching = false;
  hasMore = false; // others were found too
  patient = null;
  bind = false;
  isSending = false;
  #asked = {}; // by the way: the number of the newest question
  #searched = 0;
  #id = null; // of the settlement that has no answer yet, with what it says
  #changed;
  #chosen;

  constructor(shown, { changed, chosen }) {
    this.exceptionId = shown.exception_id;
    this.#changed = changed;
    this.#chosen = chosen;
    this.take(shown);
    this.bind = shown.may_bind;
  }

  /** The case as it is by now. What each way would do is asked again. */
  take(shown, unattended = false) {
    this.may = shown.may;
    this.mayBind = shown.may_bind;
    this.isReport = shown.may.length === 1;
    this.bind = this.bind && shown.may_bind;
    this.look(unattended);
  }

  /** Asks what each way would do now. */
  look(unattended = false) {
    for (const how of this.may) if (how !== "reassign" || this.patient) this.#ask(how, unattended);
  }

  choose(patient) {
    this.patient = patient;
    this.#chosen();
    delete this.effects.reassign;
    if (patient) this.#ask("reassign");
    this.#changed();
  }

  setBind(bind) {
    this.bind = bind;
    delete this.effects.reassign;
    if (this.patient) this.#ask("reassign");
    this.#changed();
  }

  /** Finds patients by a name, a number or an id. Of several of one name, a birth date beside it finds the one. */
  async search(query) {
    this.query = query.trim();
    this.choose(null);
    Object.assign(this, { found: null, failed: "", hasMore: false });
    const asked = (this.#searched += 1);
    const { text, birthDate } = partsOf(this.query);
    this.isSearching = text !== "";
    if (birthDate && !text) this.failed = _("Please write the name or the number beside the birth date.");
    this.#changed();
    if (!text) return;
    const answer = await post("/board/find/", { q: text });
    if (asked !== this.#searched) return;
    this.isSearching = false;
    if (answer.ok) this.#take(answer.body, birthDate);
    else this.failed = answer.error;
    this.#changed();
  }

  #take({ patients, more }, birthDate) {
    this.found = birthDate ? patients.filter((each) => each.birth_date === birthDate) : patients;
    this.hasMore = more;
  }

  /** Whether a way can be taken now: it is known what it would do, and that is possible. */
  isReady(how) {
    const effect = this.effects[how];
    return Boolean(effect?.seen) && !effect.refusal && !this.isSending;
  }

  /** A settlement as it is seen at this moment. */
  wish(how) {
    return { how, seen: this.effects[how].seen, ...(how === "reassign" ? this.#reassigned() : {}) };
  }

  /** Settles the case as it was seen. A repeat after no answer is the same action. */
  async settle(body) {
    const said = JSON.stringify(body);
    if (this.#id?.said !== said) this.#id = { said, action_id: newId() };
    this.isSending = true;
    this.#changed();
    const answer = await act(`/exceptions/${this.exceptionId}/settle/`, body, { action_id: this.#id.action_id });
    this.isSending = false;
    if (answer.status !== 0) this.#id = null;
    this.#changed();
    return answer;
  }

  #reassigned() {
    return { patient_id: this.patient.patient_id, bind: this.bind };
  }

  async #ask(how, unattended = false) {
    const asked = (this.#asked[how] = (this.#asked[how] ?? 0) + 1);
    const answer = await post(`/exceptions/${this.exceptionId}/preview/`, { how, ...(how === "reassign" ? this.#reassigned() : {}) }, { unattended });
    if (asked !== this.#asked[how]) return;
    this.effects[how] = answer.ok ? answer.body : { failed: answer.error };
    this.#changed();
  }
}
