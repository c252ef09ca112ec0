// Questions in a dialog. Escape and Cancel answer none of them.

import { h } from "/page/dom.js";
import { _ } from "/page/words.js";

let made = 0;

/**
 * Asks, and returns the values of the fields by name; null where the person cancels.
 *
 * `fields`: `{name, label, kind: "text"|"password"|"date"|"area"|"choice"|"check"|"radio", value, choices: [[value, label]], hint, required,
 * max}`. `content` are elements above them. `leave` is the word on the button that answers nothing. `check(values)` returns a sentence that stops the answer, or nothing.
 */
export function ask({ title, text, content = [], fields = [], confirm, leave, kind = "primary", check }) {
  const id = `dialog-${(made += 1)}`;
  const controls = fields.map((each) => control(each, `${id}-${each.name}`));
  const fault = h("p", { class: "notice bad", role: "alert", hidden: true });
  const form = h(
    "form",
    { method: "dialog", novalidate: true },
    h("h2", { id }, title),
    text && h("p", {}, text),
    content,
    controls.map((each) => each.element),
    fault,
    h("div", { class: "buttons" }, h("button", { class: kind }, confirm ?? _("OK")), h("button", { type: "button", "data-cancel": true }, leave ?? _("Cancel"))),
  );
  const dialog = h("dialog", { "aria-labelledby": id }, form);
  const before = document.activeElement;
  document.body.append(dialog);
  return new Promise((resolve) => {
    const end = (values) => {
      dialog.close();
      dialog.remove();
      if (before?.isConnected) before.focus();
      resolve(values);
    };
    form.querySelector("[data-cancel]").onclick = () => end(null);
    dialog.oncancel = (event) => (event.preventDefault(), end(null));
    form.onsubmit = (event) => {
      event.preventDefault();
      const values = Object.fromEntries(controls.map(({ name, read }) => [name, read()]));
      const missing = controls.find(({ isMissing }) => isMissing());
      const wrong = missing ? _("Please fill in: {field}", { field: missing.label }) : check?.(values);
      for (const { input, isMissing } of controls) input.setAttribute("aria-invalid", String(isMissing()));
      fault.textContent = wrong ?? "";
      fault.hidden = !wrong;
      if (missing) missing.input.focus();
      if (!wrong) end(values);
    };
    dialog.showModal();
    (controls[0]?.input ?? form.querySelector("button")).focus();
  });
}

/** Shows something to be read, until it is closed. */
export function show({ title, content }) {
  const id = `dialog-${(made += 1)}`;
  const dialog = h("dialog", { "aria-labelledby": id }, h("div", {}, h("h2", { id }, title), content, h("div", { class: "buttons" }, h("button", { type: "button", onclick: () => dialog.close() }, _("Close")))));
  const before = document.activeElement;
  dialog.onclose = () => (dialog.remove(), before?.isConnected && before.focus());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

function control({ name, label, kind = "text", value = "", choices = [], hint, required = false, max }, id) {
  const said = hint && h("p", { class: "hint", id: `${id}-hint` }, hint);
  const common = { id, name, "aria-describedby": hint ? `${id}-hint` : null, required, maxlength: max };
  if (kind === "radio") return radios({ name, label, value, choices, required }, id, said);
  if (kind === "check") {
    const input = h("input", { ...common, type: "checkbox", checked: Boolean(value) });
    const element = h("div", { class: "field" }, h("label", {}, input, label), said);
    return { name, label, input, element, read: () => input.checked, isMissing: () => required && !input.checked };
  }
  const input =
    kind === "area"
      ? h("textarea", { ...common, rows: 3 }, value)
      : kind === "choice"
        ? h("select", common, choices.map(([each, text]) => h("option", { value: each, selected: each === value }, text)))
        : h("input", { ...common, type: kind, value, autocomplete: "off" });
  const element = h("div", { class: "field" }, h("label", { for: id }, label), said, input);
  return { name, label, input, element, read: () => input.value.trim(), isMissing: () => required && !input.value.trim() };
}

function radios({ name, label, value, choices, required }, id, said) {
  const inputs = choices.map(([each]) => h("input", { type: "radio", name: id, value: each, checked: each === value }));
  const rows = choices.map(([, text], place) => h("label", {}, inputs[place], text));
  const element = h("fieldset", {}, h("legend", { class: "label" }, label), said, rows);
  const read = () => inputs.find((each) => each.checked)?.value ?? "";
  return { name, label, input: inputs[0], element, read, isMissing: () => required && !read() };
}
