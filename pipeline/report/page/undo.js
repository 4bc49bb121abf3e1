// The confirmation of each decision, and its undo. Undo adds decisions that bring back the state before; it removes none.
import { announce, byId } from "./dom.js";
import { emit } from "./data.js";
import { listNames } from "./ask.js";
import { removeLocal, undoSaved } from "./decisions.js";
import { withdraw } from "./queue.js";

const SHOWN_MS = 9000;
const done = [];
let timer = null;

// Shows `text` and says `spoken`. A decision that can be undone is a step: its `masters`, and its `local` decisions, the
// `held` entry or the `saved` ids.
export function confirm(text, step = null, spoken = text) {
  if (step) done.push(step);
  toast(text, step, spoken);
}

function toast(text, step, spoken = text) {
  announce(spoken);
  byId("toast-text").textContent = text;
  byId("toast-undo").hidden = !step;
  byId("toast").hidden = false;
  byId("toast").step = step;
  hideLater();
}

export function dismiss() {
  byId("toast").hidden = true;
}

function hideLater() {
  clearTimeout(timer);
  timer = setTimeout(() => {
    // A pointer or the focus on the confirmation keeps it.
    if (byId("toast").matches(":hover, :focus-within")) hideLater();
    else dismiss();
  }, SHOWN_MS);
}

export function setUpUndo() {
  byId("toast-undo").addEventListener("click", () => undo(byId("toast").step));
  byId("toast-close").addEventListener("click", dismiss);
}

export function undoLast() {
  if (done.length) undo(done.at(-1));
  else toast("Nothing to undo on this page", null);
}

async function undo(step) {
  const place = done.indexOf(step);
  if (place < 0) return;
  done.splice(place, 1);
  const names = listNames(step.masters.map((master) => master.name));
  const text = await takeBack(step, names);
  emit("undone", step.masters);
  toast(text, null);
}

async function takeBack({ local, held, saved, by }, names) {
  if (local) {
    removeLocal(local);
    return `Undone: ${names}`;
  }
  if (held && withdraw(held)) return `Undone: ${names}`;
  if (!saved) return `${names} is being saved: undo it afterwards`;
  const outcome = await undoSaved(saved, by, `undo of the decision on ${names}`);
  if (outcome.held) return `No answer from the review server: ${names} will be undone when it is back`;
  if (outcome.refused) return `Not undone: ${outcome.refused}`;
  const { undone, kept } = outcome.saved;
  return [undone.length ? `Undone: ${listNames(undone)}` : "", kept.length ? `Not undone: ${listNames(kept)}` : ""].filter(Boolean).join(". ");
}
