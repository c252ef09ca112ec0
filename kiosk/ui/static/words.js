// gettext in the browser: English text is the key, the catalogs came with the page, one language is spoken at a time.

const catalogs = new Map();
let spoken = { tag: "en", messages: {} };

/** Learns every catalog that the page came with. */
export function teach(all) {
  for (const catalog of all) catalogs.set(catalog.tag, catalog);
}

/** From now on the words are of this language; one that nobody taught changes nothing. */
export function speak(tag) {
  spoken = catalogs.get(tag) ?? spoken;
  document.documentElement.lang = spoken.tag;
}

/** The tag (BCP 47) of the language being spoken. */
export function language() {
  return spoken.tag;
}

/** The tags among these that there is a catalog for, in their order; all that there are where none is known. */
export function offered(tags) {
  const known = tags.filter((tag) => catalogs.has(tag));
  return known.length ? known : [...catalogs.keys()];
}

/** A language's name in itself. */
export function nameOf(tag) {
  return catalogs.get(tag)?.messages[OWN_NAME] ?? tag;
}

/** The text in the language being spoken, with `{name}` replaced by a value of that name. */
export function _(text, values = {}) {
  return put(spoken.messages[text] ?? text, values);
}

/** The same for a number, in the plural form that the language has for it; `{n}` is the number as it is written there. */
export function ngettext(one, many, n, values = {}) {
  const rules = new Intl.PluralRules(spoken.tag);
  const forms = spoken.messages[one] ?? [one, many];
  const form = rules.resolvedOptions().pluralCategories.indexOf(rules.select(n));
  return put(forms[Math.min(Math.max(form, 0), forms.length - 1)], { n: n.toLocaleString(spoken.tag), ...values });
}

/** Marks a text in a table for translation; it is looked up when it is shown. */
export const N_ = (text) => text;

const OWN_NAME = N_("This language's own name");

/** The time of day of an ISO 8601 moment as the language writes it, at the place whose offset the moment carries. */
export function clock(moment) {
  const [, hours, minutes] = /T(\d\d):(\d\d)/.exec(moment) ?? [];
  if (hours === undefined) return "";
  const format = new Intl.DateTimeFormat(spoken.tag, { hour: "numeric", minute: "2-digit", timeZone: "UTC" });
  return format.format(Date.UTC(2000, 0, 1, Number(hours), Number(minutes)));
}

function put(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
