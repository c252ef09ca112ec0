// Cards of a patient: a new one, a replaced one, a lost one. The card itself is held to a kiosk (desk_wait.js).

import { _ } from "/page/words.js";
import { perform } from "./desk_calls.js";
import { awaitCard } from "./desk_wait.js";
import { ask } from "./dialog.js";

const LOST = "lost";

/** Binds the next card at a kiosk to a patient. `replaced` is a card of the patient that ends by it. */
export async function bind(frame, person, replaced) {
  const end = replaced ? await askOld(replaced) : {};
  if (end === null) return;
  const read = await awaitCard(frame, { title: replaced ? _("Replace the card of {name}", { name: person.name }) : _("New card for {name}", { name: person.name }), person });
  if (read === null) return;
  const { card, label } = read;
  const body = { patient_id: person.patient_id, label, seen_holder: card.holder?.patient_id ?? null, ...end };
  await perform(`/desk/cards/${card.ask_id}/bind/`, body, { done: ({ blocked }) => doneWords(replaced, blocked) });
}

function doneWords(replaced, blocked) {
  if (!replaced) return _("The card is bound.");
  return blocked ? _("The new card is bound, and the old one is blocked.") : _("The new card is bound, and the old one has ended.");
}

async function askOld(card) {
  const values = await ask({
    title: _("What became of the old card?"),
    text: card.label,
    fields: [
      {
        name: "how",
        label: _("The old card"),
        kind: "radio",
        required: true,
        choices: [
          [LOST, _("It is lost or stolen: block it, so that it opens nobody")],
          ["here", _("It is here, worn out or given back: it only ends")],
        ],
      },
      { name: "reason", label: _("Reason"), max: 500 },
    ],
    confirm: _("Go on"),
  });
  return values && { replaces: card.binding_id, block: values.how === LOST, reason: values.reason };
}

/** Blocks a card that was lost. */
export const lost = (person, card) =>
  onBinding(person, card, "block", {
    title: _("Report this card lost?"),
    text: _("It opens nobody any more, at any kiosk. It can be unblocked again."),
    confirm: _("Report lost"),
    kind: "danger",
    done: _("The card is blocked."),
  });

/** Takes a card from a patient. */
export const unbind = (person, card) =>
  onBinding(person, card, "end", {
    title: _("Take this card from the patient?"),
    text: _("The card is unknown from then on, and can be bound again."),
    confirm: _("Take from the patient"),
    kind: "danger",
    done: _("The card is nobody's now."),
  });

/** Unblocks a card that was found again. It is bound to nobody after that. */
export const unblock = (person, card) =>
  onBinding(person, card, "unblock", {
    title: _("Unblock this card?"),
    text: _("It is nobody's after that. Bind it again with “New card”."),
    confirm: _("Unblock"),
    done: _("The card is unblocked."),
  });

async function onBinding(person, card, word, { done, text, ...words }) {
  const fields = [{ name: "reason", label: _("Reason"), max: 500 }];
  const values = await ask({ ...words, text: card.label ? `${card.label}. ${text}` : text, fields });
  if (values === null) return;
  const path = `/patients/${encodeURIComponent(person.patient_id)}/bindings/${card.binding_id}/${word}/`;
  await perform(path, values, { done: () => done });
}
