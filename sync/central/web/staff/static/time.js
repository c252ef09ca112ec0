// Times as people of the site say them.

import { _, clock, language, ngettext } from "/page/words.js";
import { centreNow, offset } from "./start.js";

export { clock };

/** An ISO 8601 time at the site's offset, of milliseconds. */
export function isoOf(ms) {
  const local = new Date(ms + offset.minutes * 60_000).toISOString().slice(0, 19);
  return local + offset.text;
}

/** The whole minutes from a time until now, at least 0. */
export function minutesSince(moment) {
  return Math.max(0, Math.floor((centreNow() - Date.parse(moment)) / 60_000));
}

/** How long ago a time is, in words. */
export function ago(moment) {
  const minutes = minutesSince(moment);
  if (minutes < 1) return _("just now");
  if (minutes < 60) return ngettext("{n} min", "{n} min", minutes);
  return _("{hours} h {minutes} min", { hours: String(Math.floor(minutes / 60)), minutes: String(minutes % 60) });
}

/** The day and the time of an ISO 8601 time, at its own offset; the day alone of a date. */
export function dayAndTime(moment) {
  const [date, time] = moment.split("T");
  const day = new Intl.DateTimeFormat(language(), { dateStyle: "medium", timeZone: "UTC" }).format(new Date(`${date}T00:00:00Z`));
  return time ? `${day} ${clock(moment)}` : day;
}
