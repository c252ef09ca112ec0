// gettext in the browser: the English text is the key, the catalogs come with the page, one language is in use.

const catalogs = new Map();
let current = { tag: "en", messages: {} };

/** Loads the catalogs that come with the page. */
export function loadCatalogs(all) {
  for (const catalog of all) catalogs.set(catalog.tag, catalog);
}

/** Sets the language in use. A language without a catalog changes nothing. */
export function setLanguage(tag) {
  current = catalogs.get(tag) ?? current;
  document.documentElement.lang = current.tag;
}

/** Returns the tag (BCP 47) of the language in use. */
export function language() {
  return current.tag;
}

/** Returns the tags of this list that have a catalog, in their order; all tags where none has. */
export function offered(tags) {
  const known = tags.filter((tag) => catalogs.has(tag));
  return known.length ? known : [...catalogs.keys()];
}

/** Returns a text as the catalog of a language has it; the tag where it has none. */
export function saidIn(tag, text) {
  return catalogs.get(tag)?.messages[text] ?? tag;
}

/** Returns the text in the language in use, with each `{name}` replaced by the value of that name. */
export function _(text, values = {}) {
  return put(current.messages[text] ?? text, values);
}

/** Returns a text that came with the screen, in the language in use. */
export function said({ text, values, many, n }) {
  return many ? ngettext(text, many, n, values) : _(text, values);
}

/** Returns the text for a number in the plural form of the language in use; `{n}` is the number as written there. */
export function ngettext(one, many, n, values = {}) {
  const rules = new Intl.PluralRules(current.tag);
  const forms = current.messages[one] ?? [one, many];
  const form = rules.resolvedOptions().pluralCategories.indexOf(rules.select(n));
  return put(forms[Math.min(Math.max(form, 0), forms.length - 1)], { n: n.toLocaleString(current.tag), ...values });
}

/** Marks a text in a table for translation. `_` translates it when it is shown. */
export const N_ = (text) => text;

/** Returns the time of day of an ISO 8601 time, at its own offset, as the language in use writes it. */
export function clock(moment) {
  const [, hours, minutes] = /T(\d\d):(\d\d)/.exec(moment) ?? [];
  if (hours === undefined) return "";
  const format = new Intl.DateTimeFormat(current.tag, { hour: "numeric", minute: "2-digit", timeZone: "UTC" });
  return format.format(Date.UTC(2000, 0, 1, Number(hours), Number(minutes)));
}

function put(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
