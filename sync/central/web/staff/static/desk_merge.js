// Two records of one person: found, shown side by side with what the merge makes of them, and merged.

import { h } from "/page/dom.js";
import { _, ngettext } from "/page/words.js";
import { post } from "./api.js";
import { during, perform } from "./desk_calls.js";
import { born, conflictWords, faultOf, whenOf } from "./desk_words.js";
import { ask } from "./dialog.js";
import { complain } from "./say.js";
import { entryWord, journeyWord } from "./states.js";

/** Merges another record with a patient's. Returns the id of the record that stays; null where nothing was done. */
export async function merge(person) {
  const other = await chooseOther(person);
  if (other === null) return null;
  // A hospital number stays, unless both or neither have one.
  let [kept, gone] = !person.has_number ? [other, person.patient_id] : [person.patient_id, other];
  for (;;) {
    const preview = await during(post("/desk/merge-preview/", { kept, gone }));
    if (!preview.ok) {
      complain(faultOf(preview));
      return null;
    }
    const values = await askMerge(preview.body);
    if (values === null) return null;
    if (values.swap) {
      [kept, gone] = [gone, kept];
      continue;
    }
    const body = { patient_id: gone, seen: preview.body.seen };
    const done = await perform(`/patients/${encodeURIComponent(kept)}/merge/`, body, { done: () => _("The records are merged.") });
    return done ? done.patient_id : null;
  }
}

async function chooseOther(person) {
  const typed = await ask({
    title: _("Merge records"),
    text: _("Find the other record of {name}.", { name: person.name }),
    fields: [{ name: "q", label: _("Name, number or birth date"), value: person.name, required: true, max: 200 }],
    confirm: _("Find"),
  });
  if (typed === null) return null;
  const found = await during(post("/desk/find/", { q: typed.q }));
  if (!found.ok) {
    complain(faultOf(found));
    return null;
  }
  const others = found.body.people.filter((each) => each.patient_id !== person.patient_id);
  if (!others.length) {
    complain(_("No other record was found."));
    return null;
  }
  const choices = others.map((each) => [each.patient_id, `${each.name} · ${born(each.birth_date)} · ${each.patient_id}`]);
  const chosen = await ask({
    title: _("Which record is of the same person?"),
    fields: [{ name: "who", label: _("Records"), kind: "radio", choices, required: true }],
    confirm: _("Compare"),
  });
  return chosen && chosen.who;
}

function askMerge({ kept, gone, after, conflicts }) {
  const sides = h(
    "div",
    { class: "desk-sides" },
    side(_("This record stays"), kept),
    side(_("This record goes"), gone),
    side(_("After the merge"), after, "after"),
  );
  const warned = conflicts.map((each) => h("p", { class: "notice bad" }, conflictWords(each)));
  const asked = ask({
    title: _("Merge these records?"),
    content: [...warned, sides, h("p", { class: "notice mild" }, _("A merge cannot be undone."))],
    fields: [{ name: "swap", label: _("Do not merge yet: show it the other way round"), kind: "check" }],
    confirm: _("Merge"),
    kind: "danger",
  });
  document.querySelector("dialog[open]").classList.add("wide");
  return asked;
}

function side(title, person, kind = "") {
  const active = person.cards.filter((each) => each.state === "active").length;
  const entries = person.entries.map((each) => `${each.queue_number} · ${each.exam_name} · ${entryWord(each.state)}`);
  const bookings = person.bookings.map((each) => `${whenOf(each)} · ${each.exam_name}`);
  return h(
    "div",
    { class: kind },
    h("h3", {}, title),
    h("p", {}, h("strong", {}, person.name)),
    h("p", {}, person.patient_id),
    h("p", {}, born(person.birth_date)),
    h("p", {}, journeyWord(person.journey_state)),
    h("p", {}, ngettext("{n} card", "{n} cards", active)),
    listed(entries),
    listed(bookings),
  );
}

const listed = (rows) => rows.length > 0 && h("ul", {}, rows.map((each) => h("li", {}, each)));
