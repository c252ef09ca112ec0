// What came with the page: the words, the key of its requests, and the centre's time.

import { loadCatalogs, setLanguage } from "/page/words.js";

const start = JSON.parse(document.getElementById("start").textContent);
const ahead = Date.parse(start.now) - Date.now(); // of this machine's clock

loadCatalogs([start.catalog]);
setLanguage(start.catalog.tag);

export const csrf = document.querySelector("meta[name=csrf]").content;
export const path = start.path;

/** The centre's time now, in milliseconds: this machine's clock may be wrong. */
export const centreNow = () => Date.now() + ahead;

const [, sign, hours, minutes] = /([+-])(\d\d):(\d\d)$/.exec(start.now) ?? [null, "+", "00", "00"];

/** The site's offset from UTC, as of now. */
export const offset = { text: `${sign}${hours}:${minutes}`, minutes: Number(`${sign}1`) * (60 * Number(hours) + Number(minutes)) };
