// Selecting several masters and deciding on all of them: mouse, keys, touch, and the bar with the decisions.
import { byId, h } from "./dom.js";
import { isQuarantined, masters, on, variationsOf } from "./data.js";
import { review, reviewOf } from "./decisions.js";
import { decideAll } from "./deciding.js";
import { current, move, pageRows, refresh, select, shownMasters } from "./list.js";
import { clearMarks, markRange, marks, selection, setMarks } from "./selection.js";
import { undoLast } from "./undo.js";

const STEPS = { ArrowDown: () => 1, ArrowUp: () => -1, PageDown: pageRows, PageUp: () => -pageRows(), Home: () => -Infinity, End: () => Infinity };
const DECIDE = { a: "approve", r: "reject" };

function decideMarked(action) {
  const shown = new Set(shownMasters());
  const hidden = [...marks].filter((master) => !shown.has(master)).length;
  decideAll({ masters: [...marks], action, hidden });
}

// The button that selects all variations of the open master's asset.
export function assetButton(master) {
  const variations = variationsOf(master);
  if (variations.length < 2) return null;
  return h("button", { type: "button", "data-control": "asset", onclick: () => setMarks(variations) }, `Select all ${variations.length} variations`);
}

function showBar() {
  const shown = new Set(shownMasters());
  const hidden = [...marks].filter((master) => !shown.has(master)).length;
  const bar = byId("batch");
  bar.hidden = !marks.size && !selection.touch;
  document.body.classList.toggle("selecting", selection.touch);
  byId("batch-count").textContent = `${marks.size} selected${hidden ? `, ${hidden} not in the list` : ""}`;
  for (const button of bar.querySelectorAll("[data-batch]")) button.disabled = !marks.size || !review.canWrite;
  const allLocked = marks.size > 0 && [...marks].every((master) => reviewOf(master).locked);
  byId("batch-lock").textContent = allLocked ? "Unlock" : "Lock";
  byId("batch-lock").dataset.batch = allLocked ? "unlock" : "lock";
}

function showStart() {
  const shown = shownMasters();
  const count = shown.filter((master) => !isQuarantined(master)).length;
  byId("select-mode").hidden = count < 2 || !review.canWrite;
  byId("approve-shown").hidden = shown.length === masters.length || count < 2 || !review.canWrite;
  byId("approve-shown").textContent = `approve the ${count} shown`;
}

function press(event) {
  if (document.querySelector("dialog[open]") || event.target.matches("textarea, select, input:not([type=range])")) return;
  const command = event.ctrlKey || event.metaKey;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const step = event.target.type === "range" ? undefined : STEPS[key];
  if (command && key === "z" && !event.shiftKey) undoLast();
  else if (command && key === "a") setMarks(shownMasters());
  else if (event.shiftKey && !command && step) extend(step());
  else if (command || event.altKey) return;
  else if (marks.size && key === "Escape") clearMarks();
  else if (marks.size && DECIDE[key]) event.repeat || decideMarked(DECIDE[key]);
  else {
    if (marks.size && step) clearMarks();
    return;
  }
  event.preventDefault();
  event.stopImmediatePropagation();
}

function extend(steps) {
  const open = current();
  move(steps);
  if (current()) markRange(shownMasters(), current(), open);
}

export function setUpBatch() {
  document.addEventListener("keydown", press);
  for (const button of byId("batch").querySelectorAll("[data-batch]")) {
    button.addEventListener("click", () => decideMarked(button.dataset.batch));
  }
  byId("batch-clear").addEventListener("click", clearMarks);
  byId("select-mode").addEventListener("click", () => {
    selection.touch = true;
    setMarks(marks);
  });
  byId("approve-shown").addEventListener("click", () => decideAll({ masters: shownMasters(), action: "approve" }));
  on("marks", () => {
    refresh();
    showBar();
  });
  for (const news of ["review", "listed", "connection"]) {
    on(news, () => {
      showBar();
      showStart();
    });
  }
  on("batch-decided", clearMarks);
  on("undone", (masters) => {
    if (masters.length === 1 && shownMasters().includes(masters[0])) select(masters[0]);
  });
}
