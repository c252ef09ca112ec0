// The next card at a kiosk: the dialog that waits for it, and says what was read. Nothing is bound before a person says so.

import { h } from "/page/dom.js";
import { _, ngettext } from "/page/words.js";
import { act, get } from "./api.js";
import { born, faultOf, refusedCardWords, toTheSecond } from "./desk_words.js";
import { ask } from "./dialog.js";
import { complain } from "./say.js";

const LOOK_EVERY_MS = 700;
const SLOW_S = 8; // after so long without a word of the kiosk, the page says so
const KIOSK = "nk-desk-kiosk"; // the kiosk that was chosen last: no person's data

/** Awaits a card at a kiosk that the person chooses. Returns `{card, label}` once it is confirmed; null where it is not. */
export async function awaitCard(frame, { title, person = null }) {
  for (;;) {
    const kiosk = await chooseKiosk(frame, title);
    if (kiosk === null) return null;
    const begun = await begin(kiosk);
    if (begun === null) continue;
    const found = await new Waiting(title, kiosk, begun, person).done;
    if (found !== "again") return found;
  }
}

async function chooseKiosk(frame, title) {
  if (!frame.kiosks.length) {
    complain(_("No kiosk is enrolled yet."));
    return null;
  }
  const last = localStorage.getItem(KIOSK);
  const words = ({ name, kiosk_id: id, away, is_reader: reader }) =>
    [name || id, reader && _("card reader of the desk"), away && _("does not answer now")].filter(Boolean).join(" · ");
  const first = frame.kiosks.find((each) => each.kiosk_id === last) ?? frame.kiosks.find((each) => each.is_reader) ?? frame.kiosks[0];
  const values = await ask({
    title,
    text: _("Choose the kiosk where the card will be held. Its screen asks for the card, and names nobody."),
    fields: [{ name: "kiosk", label: _("Kiosk"), kind: "choice", value: first.kiosk_id, choices: frame.kiosks.map((each) => [each.kiosk_id, words(each)]) }],
    confirm: _("Ask for the card"),
  });
  if (values === null) return null;
  localStorage.setItem(KIOSK, values.kiosk);
  return frame.kiosks.find((each) => each.kiosk_id === values.kiosk);
}

/** Begins a wait. At a reader of the desk, a card that was held a moment ago counts. Returns the id of the wait. */
async function begin(kiosk) {
  if (kiosk.is_reader) {
    const read = await get("/desk/cards/", { kiosk_id: kiosk.kiosk_id });
    if (read.ok && read.body.cards.length) return read.body.cards[0].ask_id;
  }
  const asked = await act("/desk/cards/", { kiosk_id: kiosk.kiosk_id });
  if (asked.ok) return asked.body.ask_id;
  complain(faultOf(asked));
  return null;
}

class Waiting {
  constructor(title, kiosk, askId, person) {
    this.kiosk = kiosk;
    this.askId = askId;
    this.person = person;
    this.card = null;
    this.since = performance.now();
    this.done = new Promise((resolve) => (this.resolve = resolve));
    this.said = h("div", { role: "status", class: "stack" });
    this.label = h("input", { id: "desk-label", maxlength: 40, autocomplete: "off" });
    this.labelled = h("div", { class: "field", hidden: true }, h("label", { for: "desk-label" }, _("Name of the card, for staff (such as “blue card”)")), this.label);
    this.buttons = h("div", { class: "buttons" });
    this.dialog = h("dialog", { "aria-labelledby": "desk-wait-title" }, h("div", {}, h("h2", { id: "desk-wait-title" }, title), this.said, this.labelled, this.buttons));
    this.dialog.oncancel = (event) => (event.preventDefault(), this.stop());
    document.body.append(this.dialog);
    this.draw();
    this.dialog.showModal();
    this.look();
  }

  async look() {
    if (!this.dialog.open) return;
    const found = await get(`/desk/cards/${this.askId}/`);
    if (!this.dialog.open) return;
    if (found.status === 401) return this.end(null); // the page says that the session has ended
    this.isAway = !found.ok;
    if (found.ok) this.card = found.body;
    this.draw();
    if (!found.ok || ["asked", "shown"].includes(this.card.state)) setTimeout(() => this.look(), LOOK_EVERY_MS);
  }

  draw() {
    const state = this.card?.state ?? "asked";
    const isRead = state === "read";
    const shown = [state, this.isAway, this.card?.refused, Math.ceil(this.card?.left_s ?? 0), this.isSlow].join();
    if (shown === this.shown) return;
    this.shown = shown;
    this.said.replaceChildren(...this.words(state).filter(Boolean));
    this.labelled.hidden = !(isRead && this.person && this.card.usable);
    const kept = this.state === state;
    this.state = state;
    if (kept) return;
    this.buttons.replaceChildren(...this.choices(state).filter(Boolean));
    (isRead && !this.labelled.hidden ? this.label : this.buttons.querySelector("button"))?.focus();
  }

  get isSlow() {
    return performance.now() - this.since > SLOW_S * 1000;
  }

  words(state) {
    if (this.isAway) return [notice("bad", _("The centre does not answer. The card is still awaited."))];
    const kiosk = this.kiosk.name || this.kiosk.kiosk_id;
    const left = Math.ceil(this.card?.left_s ?? 60);
    const refused = this.card?.refused && notice("mild", refusedCardWords(this.card.refused));
    if (state === "asked") {
      return [
        line(_("{kiosk} is being asked…", { kiosk })),
        this.isSlow && notice("mild", _("The kiosk does not show it yet. Somebody may be standing there, or it has no network.")),
      ];
    }
    if (state === "shown") {
      return [line(_("{kiosk} asks for the card now.", { kiosk })), h("p", {}, ngettext("{n} second left", "{n} seconds left", left)), refused];
    }
    if (state === "read") return this.readWords(kiosk);
    if (state === "cancelled_at_kiosk") return [notice("mild", _("Somebody has ended the wait at {kiosk}.", { kiosk }))];
    return [notice("mild", _("No card came in time."))];
  }

  readWords(kiosk) {
    const { holder, blocked, usable, read_at: at } = this.card;
    const own = holder && this.person && holder.patient_id === this.person.patient_id;
    const who = holder && `${holder.name} · ${born(holder.birth_date)} · ${holder.patient_id}`;
    return [
      line(_("A card was read at {kiosk} at {time}.", { kiosk, time: toTheSecond(at) })),
      blocked && notice("bad", _("This card was reported lost. It cannot be bound before it is unblocked.")),
      !blocked && !usable && notice("bad", _("This site accepts no cards of this kind.")),
      own && notice("mild", _("The patient has this card already.")),
      holder && !own && notice(this.person ? "bad" : "good", this.person ? _("It belongs to another patient: {who}. If you bind it, that patient loses it.", { who }) : _("It belongs to {who}.", { who })),
      !holder && !blocked && h("p", {}, _("The card is nobody's.")),
    ];
  }

  choices(state) {
    const cancel = press(_("Cancel"), () => this.stop());
    if (state === "asked" || state === "shown") return [cancel];
    if (state !== "read") return [press(_("Ask again"), () => this.end("again"), "primary"), press(_("Close"), () => this.end(null))];
    const { holder, usable } = this.card;
    const other = press(_("Another card"), () => this.discard("again"));
    if (!this.person) return [holder && press(_("Open the record"), () => this.discard({ card: this.card }), "primary"), other, press(_("Close"), () => this.discard(null))];
    const takes = holder && holder.patient_id !== this.person.patient_id;
    const words = takes ? _("Take it from that patient and bind it") : _("Bind it to {name}", { name: this.person.name });
    return [usable && press(words, () => this.end({ card: this.card, label: this.label.value.trim() }), takes ? "danger" : "primary"), other, press(_("Discard"), () => this.discard(null))];
  }

  stop() {
    return this.state === "read" || this.state === "asked" || this.state === "shown" ? this.discard(null) : this.end(null);
  }

  /** Ends the wait at the centre and at the kiosk too. */
  discard(found) {
    act(`/desk/cards/${this.askId}/end/`);
    this.end(found);
  }

  end(found) {
    this.dialog.close();
    this.dialog.remove();
    this.resolve(found);
  }
}

const line = (text) => h("p", { class: "desk-wait" }, text);
const notice = (kind, text) => h("p", { class: `notice ${kind}` }, text);
const press = (text, onclick, kind = "") => h("button", { type: "button", class: kind, onclick }, text);
