// Rows of the access log as a CSV file (RFC 4180), which a spreadsheet may open: no cell is a formula.

import { _ } from "/page/words.js";
import { whatOf, whereOf, whoOf } from "./log_words.js";

const BEGIN = "\ufeff"; // a spreadsheet reads UTF-8 by it

/** The file's text. */
export function csvOf({ rows, asked, doers }) {
  const header = [_("Time"), _("Who"), _("What"), _("Patients"), _("From where"), "who", "kind", "detail", "block", "audit_id"];
  const lines = rows.map((row) => [row.at, whoOf(row.who, doers), whatOf(row), patientsOf(row, asked), whereOf(row), row.who, row.kind, detailOf(row), row.block ?? "", row.audit_id]);
  return BEGIN + [header, ...lines].map((cells) => cells.map(cell).join(",") + "\r\n").join("");
}

/** What a row says beside its columns. Where a patient was asked for, other patients are not in it. */
const detailOf = ({ detail }) => JSON.stringify({ ...detail, from: undefined, channel: undefined });

const patientsOf = ({ patients }, asked) => (asked.length ? patients.filter((id) => asked.includes(id)) : patients).join(" ");

function cell(value) {
  const text = String(value);
  const safe = /^[=+\-@\t\r\n＝＋－＠]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
