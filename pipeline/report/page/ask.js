// One question in a dialog, with a button for each answer.
import { byId, h } from "./dom.js";

const MOST_NAMES = 8;
let last = Promise.resolve();

// The value of the button that was pressed; empty if the dialog was closed. The first button has the focus. A second
// question waits for the first.
export function ask(question) {
  last = last.then(() => show(question));
  return last;
}

function show({ title, lines, buttons, link }) {
  const dialog = byId("ask");
  byId("ask-title").textContent = title;
  byId("ask-text").replaceChildren(...lines.filter(Boolean).map((line) => h("p", {}, line)), link ? h("p", {}, link) : "");
  byId("ask-buttons").replaceChildren(...buttons.map(([value, label, style], place) => h("button", { value, class: style, autofocus: place === 0 }, label)));
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true }));
}

// Names for a sentence; many are counted.
export function listNames(names) {
  const more = names.length - MOST_NAMES;
  return names.slice(0, MOST_NAMES).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
