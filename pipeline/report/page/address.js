// The address holds the filters and the open sound: a link leads to them, and so do Back and Forward. On a narrow screen
// an open sound is a step of its own in the history, so that Back closes it.
import { byId } from "./dom.js";
import { arrivedHash, emit, isQuarantined, masters, on } from "./data.js";
import { choice, filterPairs, takeFilters } from "./filters.js";
import { current, move, select } from "./list.js";

const REST_MS = 250; // Browsers limit how often a page may change its address.
const narrow = matchMedia("(max-width: 899px)");

// A quarantined master has the name of the published master of its variation.
const keyOf = (master) => `${isQuarantined(master) ? "quarantined:" : ""}${master.name}`;
const byKey = new Map(masters.map((master) => [keyOf(master), master]));

const KEYS = ["sound", "q", "kind", "tag", "model", "show", "off", "length", "sort"];

let restoring = false;
let timer = null;
let newStep = false;
let written = { text: "", others: "", typed: false };

const encoded = (value) => encodeURIComponent(value).replace(/%(?:2F|2C|3A|20)/g, (code) => (code === "%20" ? "+" : decodeURIComponent(code)));

export const addressOf = (pairs) => `#${pairs.map(([key, value]) => `${key}=${encoded(value)}`).join("&")}`;

const isOpen = () => !narrow.matches || document.body.classList.contains("detail-first");

function present(open = isOpen()) {
  const sound = open && current() ? [["sound", keyOf(current())]] : [];
  return addressOf([...sound, ...filterPairs()]);
}

const otherFilters = () => addressOf(filterPairs().filter(([key]) => key !== "q"));

function set(address, { push = false, state = history.state } = {}) {
  const whole = `${location.pathname}${location.search}${address === "#" ? "" : address}`;
  history[push ? "pushState" : "replaceState"](state, "", whole);
}

function later(step) {
  newStep ||= step;
  clearTimeout(timer);
  timer = setTimeout(flush, REST_MS);
}

// Typing in the search field makes one step in the history.
function flush(open = isOpen()) {
  if (timer === null) return;
  const others = otherFilters();
  const typed = choice.text !== written.text && others === written.others;
  const continues = typed && written.typed;
  const address = present(open);
  if (address !== (location.hash || "#")) set(address, { push: newStep && !continues });
  written = { text: choice.text, others, typed };
  cancel();
}

function cancel() {
  clearTimeout(timer);
  timer = null;
  newStep = false;
}

function opened({ master, open }) {
  if (restoring) return;
  const wasOpen = Boolean(history.state?.open);
  if (!open || !master || (narrow.matches && wasOpen)) {
    later(false);
  } else if (narrow.matches) {
    flush(false);
    set(present(true), { push: true, state: { open: true } });
  } else {
    later(true);
    flush();
  }
}

function closed() {
  if (restoring || !narrow.matches) return;
  cancel();
  if (history.state?.open) history.back();
  else set(present(false));
}

// Takes filters and sound from the address; returns whether it names a sound that this version has.
function take(hash) {
  const params = new URLSearchParams(hash.slice(1));
  const sound = params.get("sound");
  const master = byKey.get(sound);
  takeFilters(params);
  written = { text: choice.text, others: otherFilters(), typed: false };
  if (sound && !master) choice.problem = `${choice.problem} This version has no sound ${sound}.`.trim();
  emit("filter");
  if (master) select(master, narrow.matches);
  return Boolean(master);
}

function restore() {
  const params = new URLSearchParams(location.hash.slice(1));
  if (params.has("token")) {
    location.reload(); // Someone pasted the link of a review server: connect with its token.
    return;
  }
  if (params.size && !KEYS.some((key) => params.has(key))) {
    set(present()); // A link to a place on this page.
    return;
  }
  cancel();
  restoring = true;
  const found = take(location.hash);
  if (!narrow.matches) byId("list").focus();
  else if (!found) emit("close");
  else if (!history.state) history.replaceState({ open: true }, "");
  restoring = false;
}

// Takes filters and sound from the address of the page. Without a sound, a wide screen opens the first.
export function setUpAddress() {
  restoring = true;
  const found = take(arrivedHash);
  if (!found && !narrow.matches) move(1);
  restoring = false;
  if (found && narrow.matches && !history.state?.open) {
    set(present(false), { state: null });
    set(present(), { push: true, state: { open: true } });
  } else {
    set(present(found));
  }
  on("filter", () => restoring || later(true));
  on("select", opened);
  on("close", closed);
  addEventListener("hashchange", restore);
}
