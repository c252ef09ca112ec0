// Rooms in words.

import { _ } from "/page/words.js";

/** A room in words. One that is no number, such as "ground floor, desk", is already said in words. */
export function placeOf(room) {
  return /^\d+$/.test(room) ? _("Room {room}", { room }) : room;
}
