// The keyboard: one letter for each thing that a reviewer does a thousand times.
import { byId, h } from "./dom.js";
import { tell } from "./data.js";
import { focusComment } from "./detail.js";
import { current, move, pageRows, select } from "./list.js";
import { switchSide, toggle, toggleLoop, toggleRobin } from "./player.js";

const KEYS = [
  ["Space", "play or pause", toggle, [" "]],
  ["↓ ↑", "next, previous master", null, []],
  ["Enter", "open the master (on a phone)", () => select(current(), true), ["Enter"]],
  ["A", "approve", () => tell("decide", { master: current(), action: "approve" }), ["a"]],
  ["R", "reject", () => tell("decide", { master: current(), action: "reject" }), ["r"]],
  ["C", "comment", focusComment, ["c"]],
  ["L", "loop", toggleLoop, ["l"]],
  ["V", "play all variations in turn", toggleRobin, ["v"]],
  ["B", "switch A/B", switchSide, ["b"]],
  ["/", "search", () => byId("search").focus(), ["/"]],
  ["Esc", "leave a field, close a dialog", null, []],
  ["?", "show all keys", () => byId("help").showModal(), ["?"]],
];

const STEPS = { ArrowDown: () => 1, ArrowUp: () => -1, PageDown: pageRows, PageUp: () => -pageRows(), Home: () => -Infinity, End: () => Infinity };
const AT_LEAST_A_MASTER = new Set(["a", "r", "c", "l", "v", "b", " ", "Enter"]);

export function setUpKeys() {
  byId("keys").replaceChildren(
    ...KEYS.map(([key, text]) => h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, text))),
  );
  document.addEventListener("keydown", press);
}

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.key === "Escape") {
    // A search field would empty itself on Escape; what was searched stays.
    event.preventDefault();
    if (typing(event.target)) byId("list").focus();
    else tell("close");
    return;
  }
  if (typing(event.target) || (event.target.type === "range" && STEPS[event.key])) return;
  // A button under focus keeps its own Space and Enter.
  if (event.target.closest("button, summary, a") && (event.key === " " || event.key === "Enter")) return;
  const step = STEPS[event.key];
  const found = KEYS.find(([, , , keys]) => keys.includes(event.key.length === 1 ? event.key.toLowerCase() : event.key));
  if (step) move(step());
  else if (found && event.repeat) event.preventDefault(); // A key that is held down decides once.
  else if (found && (current() || !AT_LEAST_A_MASTER.has(found[3][0]))) found[2]();
  else if (found) move(1);
  else return;
  event.preventDefault();
}

function typing(target) {
  return target.matches("textarea, select, input:not([type=range])");
}
