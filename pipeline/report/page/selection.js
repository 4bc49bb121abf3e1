// The masters that are selected for one decision on all of them.
import { emit } from "./data.js";

export const marks = new Set();
export const selection = { touch: false };
let anchor = null;

export function setMarks(masters) {
  const chosen = [...masters];
  marks.clear();
  for (const master of chosen) marks.add(master);
  emit("marks");
}

export function clearMarks() {
  selection.touch = false;
  anchor = null;
  setMarks([]);
}

// The first mark adds to the master that is open.
function toggleMark(master, open) {
  const had = marks.has(master);
  if (!marks.size && open && !selection.touch) marks.add(open);
  if (had) marks.delete(master);
  else marks.add(master);
  anchor = master;
  emit("marks");
}

export function markRange(shown, to, open) {
  anchor = shown.includes(anchor) && marks.size ? anchor : (open ?? to);
  const [first, last] = [shown.indexOf(anchor), shown.indexOf(to)].sort((a, b) => a - b);
  setMarks(shown.slice(Math.max(0, first), last + 1));
}

// What a click on a row selects. True if the row is not to be opened.
export function markByClick(event, master, shown, open) {
  if (selection.touch || event.ctrlKey || event.metaKey) toggleMark(master, open);
  else if (event.shiftKey) markRange(shown, master, open);
  else if (marks.size) clearMarks();
  return selection.touch;
}
