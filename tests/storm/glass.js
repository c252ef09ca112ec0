// Notes what is on the glass, what is under each finger, and what the page sends. It knows the page's markup alone, none
// of its code. Each note goes to the test through the binding `stormNote`, in the order of events. Times are UTC ms.

(() => {
  if (window.top !== window) return;
  const note = (kind, fields) => window.stormNote?.(JSON.stringify({ kind, t: now(), ...fields }));
  const now = () => performance.timeOrigin + performance.now();
  const plainFetch = window.fetch;
  let heard = {}; // the newest screen of the daemon, for a page that names no patient in its markup
  let glass = { key: null, since: 0 };

  // What is drawn.

  function drawn() {
    const content = document.getElementById("content");
    const next = document.querySelector('[data-name="next"]');
    const occupied = content && !["attract", "starting", "away", "out_of_order"].includes(content.dataset.screen);
    const patient = content?.dataset.patient ?? (occupied ? (heard.patient ?? null) : null);
    return {
      screen: content?.dataset.screen ?? null,
      patient: patient || null,
      stay: (content?.dataset.stay ?? patient) || null,
      offer: next?.dataset.offer ?? null,
      label: next ? next.innerText.trim() : null,
      dead: next ? isDead(next) : null,
      busy: next ? next.getAttribute("aria-busy") === "true" : false,
    };
  }

  const isDead = (button) => button.disabled || button.getAttribute("aria-disabled") === "true";

  // Called in the frame after a change: the change is on the glass at its end.
  function look() {
    waiting = false;
    const seen = drawn();
    const offer = seen.label === null ? null : (seen.offer ?? heard.action);
    const key = JSON.stringify([seen.screen, seen.patient, seen.stay, offer]);
    if (key !== glass.key) {
      glass = { key, since: now(), seen };
      note("glass", seen);
      noteChange(glass.since);
    }
  }

  let waiting = false;
  let change = null;
  let noteChange = () => null;
  const observe = () => {
    new MutationObserver(() => {
      if (!waiting) requestAnimationFrame(look);
      waiting = true;
    }).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
    look();
  };
  if (document.documentElement) observe();
  else document.addEventListener("readystatechange", observe, { once: true });

  // The test's eyes.

  window.storm = {
    watch: () => {
      change = new Promise((seen) => (noteChange = seen));
    },
    afterChange: async (ms, most) => {
      const late = new Promise((done) => setTimeout(() => done(now()), most));
      const since = await Promise.race([change, late]);
      await new Promise((done) => setTimeout(done, Math.max(0, since + ms - now())));
    },
    ask: async () => (await plainFetch("/api/v1/state", { headers: { "X-Kiosk": "1" } })).json(),
    leave: async () => {
      const body = JSON.stringify({ stay: (await window.storm.ask()).stay });
      await plainFetch("/api/v1/leave", { method: "POST", headers: { "X-Kiosk": "1" }, body });
    },
    place: (name) => {
      const box = document.querySelector(`[data-name="${CSS.escape(name)}"]`)?.getBoundingClientRect();
      return box && box.width ? { x: box.x, y: box.y, width: box.width, height: box.height } : null;
    },
    mm: () => parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--mm")) || 4,
    focus: (name) => Boolean(document.querySelector(`[data-name="${CSS.escape(name)}"]`)?.focus() ?? true),
    texts: () => {
      const visible = (element) => element.checkVisibility?.() !== false;
      const lines = ["content", "banner"].flatMap((id) => {
        const box = document.getElementById(id);
        return box && visible(box) ? box.innerText.split("\n") : [];
      });
      return {
        ...drawn(),
        frame: Number(document.documentElement.dataset.frame ?? -1),
        language: document.documentElement.lang,
        lines: lines.map((line) => line.trim()).filter(Boolean),
        whole: document.body.innerText,
      };
    },
  };

  // Fingers and keys. The time of an event is that of the touch, and not that of its handling.

  function under(event, element) {
    const button = element?.closest?.("button") ?? null;
    const seen = drawn();
    const at = performance.timeOrigin + event.timeStamp;
    return {
      t: at,
      name: button?.dataset.name ?? null,
      dead: button ? isDead(button) : null,
      patient: seen.patient,
      stay: seen.stay,
      offer: button?.dataset.offer ?? null,
      busy: seen.busy,
      label: button ? button.innerText.trim() : null,
      shownMs: at - glass.since,
      undrawn: waiting,
    };
  }

  const pressed = new Map();
  window.addEventListener("pointerdown", (event) => {
    const found = under(event, event.target);
    pressed.set(event.pointerId, event.target?.closest?.("button") ?? null);
    note("down", { finger: event.pointerId, x: event.clientX, y: event.clientY, ...found });
  }, true);
  for (const kind of ["pointerup", "pointercancel"]) {
    window.addEventListener(kind, (event) => {
      const box = pressed.get(event.pointerId)?.getBoundingClientRect();
      const on = Boolean(box) && event.clientX >= box.left && event.clientX <= box.right &&
        event.clientY >= box.top && event.clientY <= box.bottom;
      note(kind.slice(7), { finger: event.pointerId, x: event.clientX, y: event.clientY, on });
    }, true);
  }
  window.addEventListener("keydown", (event) => {
    if (!["Enter", " "].includes(event.key)) return;
    note("down", { finger: "key", repeat: event.repeat, ...under(event, document.activeElement) });
  }, true);

  // What the page sends, and what it hears.

  function sent(command, body, line) {
    const { action_id = null, action_type = null, offer = null, stay = null, payload } = body ?? {};
    note("sent", { command, line, action_id, action_type, offer, stay, patient: payload?.patient_id ?? null });
  }

  function hear(screen) {
    if (!screen) return;
    heard = { patient: screen.patient?.patient_id ?? null, action: screen.next_action };
    note("screen", {
      frame: screen.frame,
      screen: screen.screen,
      patient: heard.patient,
      stay: screen.stay ?? heard.patient,
      offer: screen.offer ?? null,
      keeps: screen.keeps_left,
      remaining: screen.remaining_s,
    });
  }

  const Socket = window.WebSocket;
  window.WebSocket = class extends Socket {
    constructor(...args) {
      super(...args);
      this.addEventListener("message", ({ data }) => {
        const message = JSON.parse(data);
        if (message.type === "action_result") {
          note("answer", { action_id: message.action_id, ok: message.success !== false, code: message.code ?? null });
        }
        if (message.payload) hear(message.payload);
      });
    }

    send(text) {
      const message = JSON.parse(text);
      if (["perform_action", "keep", "leave"].includes(message.command)) sent(message.command, message, "socket");
      super.send(text);
    }
  };

  window.fetch = async (path, request = {}) => {
    const command = { "/api/v1/actions": "perform_action", "/api/v1/keep": "keep", "/api/v1/leave": "leave" }[path];
    const body = command && request.body ? JSON.parse(request.body) : {};
    if (command) sent(command, body, "http");
    const response = await plainFetch(path, request);
    if (command || path === "/api/v1/state") {
      const said = await response.clone().json().catch(() => null);
      if (command === "perform_action") note("answer", { action_id: body.action_id, ok: response.ok, code: said?.code ?? null });
      hear(said?.state ?? (said?.frame === undefined ? null : said));
    }
    return response;
  };
})();
