// Keyboard shortcuts.
import { byId, h } from "./dom.js";
import { emit } from "./data.js";
import { commentHere, focusComment } from "./detail.js";
import { current, move, pageRows, select } from "./list.js";
import { switchSide, toggle, toggleLoop, toggleRobin } from "./player.js";
import { seekBy, zoomKey } from "./transport.js";
import { showWhole, toggleDecibels } from "./zoom.js";

const KEYS = [
  ["Space", "play or pause", toggle, [" "]],
  ["↓ ↑", "next, previous master", null, []],
  ["Enter", "open the master (on a phone)", () => select(current(), true), ["Enter"]],
  ["A", "approve", () => emit("decide", { master: current(), action: "approve" }), ["a"]],
  ["R", "reject", () => emit("decide", { master: current(), action: "reject" }), ["r"]],
  ["C", "comment", focusComment, ["c"]],
  ["T", "comment at this time", commentHere, ["t"]],
  ["← →", "back, forward by a tenth of what is shown", null, []],
  ["+ − 0", "zoom in, zoom out, show the whole sound", null, []],
  ["D", "level in dB, or linear", toggleDecibels, ["d"]],
  ["L", "loop", toggleLoop, ["l"]],
  ["V", "play all variations", toggleRobin, ["v"]],
  ["B", "switch A/B", switchSide, ["b"]],
  ["Shift ↓ ↑", "select several; so do Shift and Ctrl with a click", null, []],
  ["Ctrl A", "select all that the list shows", null, []],
  ["Ctrl Z", "undo the last decision", null, []],
  ["/", "search", () => byId("search").focus(), ["/"]],
  ["Esc", "leave a field, close a dialog", null, []],
  ["?", "show search terms and keys", () => byId("help").showModal(), ["?"]],
];

const STEPS = { ArrowDown: () => 1, ArrowUp: () => -1, PageDown: pageRows, PageUp: () => -pageRows(), Home: () => -Infinity, End: () => Infinity };
const VIEWS = {
  ArrowLeft: () => seekBy(-0.1), ArrowRight: () => seekBy(0.1), "+": () => zoomKey(true), "=": () => zoomKey(true), "-": () => zoomKey(false), 0: showWhole,
};
const NEEDS_A_MASTER = new Set(["a", "r", "c", "l", "v", "b", "t", " ", "Enter"]);

export function setUpKeys() {
  byId("keys").replaceChildren(
    ...KEYS.map(([key, text]) => h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, text))),
  );
  document.addEventListener("keydown", press);
}

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.key === "Escape") {
    // Escape would clear a search field; the search stays.
    event.preventDefault();
    if (typing(event.target)) byId("list").focus();
    else emit("close");
    return;
  }
  if (typing(event.target) || (event.target.type === "range" && (STEPS[event.key] || event.key.startsWith("Arrow")))) return;
  // A focused button handles Space and Enter itself.
  if (event.target.closest("button, summary, a") && (event.key === " " || event.key === "Enter")) return;
  const step = STEPS[event.key];
  const shortcut = KEYS.find(([, , , keys]) => keys.includes(event.key.length === 1 ? event.key.toLowerCase() : event.key));
  const viewed = VIEWS[event.key];
  if (step) move(step());
  else if (viewed) viewed();
  else if (shortcut && event.repeat) event.preventDefault(); // Holding a key down decides once.
  else if (shortcut && (current() || !NEEDS_A_MASTER.has(shortcut[3][0]))) shortcut[2]();
  else if (shortcut) move(1);
  else return;
  event.preventDefault();
}

function typing(target) {
  return target.matches("textarea, select, input:not([type=range])");
}
