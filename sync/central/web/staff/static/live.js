// A WebSocket of a page that comes back by itself, and what the page says while it is away.

import { Channel, TIMES } from "/client/channel.js";
import { _, clock } from "/page/words.js";
import { centreNow } from "./start.js";
import { isoOf } from "./time.js";

const SOON_MS = 1_500; // a cut that heals within this time is not worth a word
const SIGNED_OUT = 4401;
// People act on what they see here. So a connection that is dead without an error is noticed within fifteen seconds.
const WARD_TIMES = { ...TIMES, pingEveryMs: 10_000, silentMs: 5_000, backoff: { firstMs: 500, mostMs: 8_000 } };
const banner = document.getElementById("connection");

/**
 * Opens a socket at a path. `hear(message)` gets each message. `follow({open, since})` says whether there is a connection, and since
 * when there is none (ms of the centre's clock): since the last message, as nobody knows how long a silent connection was dead.
 */
export function live(path, { hear, follow = () => {} }) {
  let since = null; // when the connection went; null while there is one
  let heardAt = null;
  let timer = 0;
  const channel = new Channel({
    address: () => ({ url: `${location.origin.replace(/^http/, "ws")}${path()}` }),
    hear: (message) => {
      heardAt = centreNow();
      hear(message);
    },
    follow: (status) => {
      clearTimeout(timer);
      if (status === "open") {
        since = null;
        banner.hidden = true;
        follow({ open: true, since });
        return;
      }
      since ??= heardAt ?? centreNow();
      follow({ open: false, since });
      timer = setTimeout(() => away(since), SOON_MS);
    },
    mayReopen: (code) => {
      if (code !== SIGNED_OUT) return true;
      document.dispatchEvent(new CustomEvent("signed-out"));
      return false;
    },
    times: WARD_TIMES,
  });
  channel.open();
  return channel;
}

function away(since) {
  banner.hidden = false;
  banner.textContent = _("No connection to the centre since {time}. What you see is from then. Nothing new is sent.", { time: clock(isoOf(since)) });
}
