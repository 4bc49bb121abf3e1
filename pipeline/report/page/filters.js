// Which masters are listed, and in which order.
import { byId, h } from "./dom.js";
import { isQuarantined, masters, report, tell } from "./data.js";
import { standingOf } from "./decisions.js";

// Each badge: its word, and when a master carries it.
export const BADGES = {
  quarantined: ["quarantined", isQuarantined],
  new: ["new", (master) => master.fresh === "new"],
  changed: ["changed", (master) => master.changes.length > 0],
  waiting: ["waiting", (master) => Boolean(master.waiting)],
  approved: ["approved", (master) => standingOf(master).state === "approved"],
  rejected: ["rejected", (master) => standingOf(master).state === "rejected"],
  unreviewed: ["not reviewed", (master) => standingOf(master).state === null && !isQuarantined(master)],
  locked: ["locked", (master) => standingOf(master).locked],
  stale: ["stale", (master) => master.status === "stale"],
  failing: ["gate failed", (master) => master.failures.length > 0 && !isQuarantined(master)],
  loop: ["loop", (master) => master.loop !== null],
  placeholder: ["placeholder", (master) => master.made.placeholder],
  noncommercial: ["non-commercial", (master) => !master.made.commercial],
};
const SILENT = new Set(["unreviewed", "loop"]);

const ranks = new Map(
  [...masters]
    .sort((a, b) => (a.asset === b.asset ? a.variation - b.variation : a.asset < b.asset ? -1 : 1))
    .map((master, rank) => [master, rank]),
);

const ORDERS = {
  name: (master) => ranks.get(master),
  seconds: (master) => master.seconds,
  loudness: (master) => (master.off === null ? -1 : Math.abs(master.off)),
  peak: (master) => master.peak ?? -999,
  quality: (master) => master.quality ?? -1,
};

export const choice = { text: "", kind: "", tag: "", model: "", badges: new Set(), order: "name", falling: false };

let counts = {};

export const badgesOf = (master) =>
  Object.keys(BADGES).filter((badge) => !SILENT.has(badge) && BADGES[badge][1](master));

// What every master carries tells nothing in a row; its chip and the open master say it.
export const rowBadgesOf = (master) => badgesOf(master).filter((badge) => !common.has(badge));

let common = new Set();

function findCommon() {
  common = new Set(Object.keys(BADGES).filter((badge) => masters.length > 1 && masters.every(BADGES[badge][1])));
}

export function listed() {
  findCommon();
  const words = choice.text.toLowerCase().split(/\s+/).filter(Boolean);
  const matching = masters.filter(
    (master) =>
      words.every((word) => master.words.includes(word)) &&
      (!choice.kind || master.kind === choice.kind) &&
      (!choice.tag || master.tags.includes(choice.tag)) &&
      (!choice.model || master.made.model === choice.model),
  );
  counts = Object.fromEntries(
    Object.entries(BADGES).map(([badge, [, has]]) => [badge, matching.filter(has).length]),
  );
  return sorted(matching.filter((master) => [...choice.badges].every((badge) => BADGES[badge][1](master))));
}

function sorted(found) {
  const key = ORDERS[choice.order];
  const sign = choice.falling ? -1 : 1;
  const keyed = found.map((master) => [key(master), master]);
  keyed.sort(([one, a], [other, b]) => (one < other ? -sign : one > other ? sign : a.index - b.index));
  return keyed.map(([, master]) => master);
}

export function setOrder(order) {
  choice.falling = choice.order === order ? !choice.falling : order !== "name";
  choice.order = order;
  tell("filter");
}

export function setUpFilters() {
  const bind = (id, field) =>
    byId(id).addEventListener("input", (event) => {
      choice[field] = event.target.value;
      tell("filter");
    });
  bind("search", "text");
  bind("kind", "kind");
  bind("tag", "tag");
  bind("model", "model");
  options("kind", masters.map((master) => master.kind));
  options("tag", masters.flatMap((master) => master.tags));
  options("model", report.models.map((model) => model.model));
  byId("clear").addEventListener("click", clear);
  for (const button of document.querySelectorAll("[data-order]")) {
    button.addEventListener("click", () => setOrder(button.dataset.order));
  }
  for (const button of document.querySelectorAll("[data-show]")) {
    button.addEventListener("click", () => only(button.dataset.show));
  }
}

export function only(badge) {
  clear();
  choice.badges = new Set([badge]);
  tell("filter");
}

function clear() {
  Object.assign(choice, { text: "", kind: "", tag: "", model: "", badges: new Set() });
  for (const id of ["search", "kind", "tag", "model"]) byId(id).value = "";
  tell("filter");
}

function options(id, values) {
  const select = byId(id);
  const found = [...new Set(values)].sort();
  select.append(...found.map((value) => h("option", { value }, value)));
  select.parentElement.hidden = found.length < 2;
}

export function showFilters(shown) {
  const held = document.activeElement?.dataset?.badge;
  const chips = Object.entries(BADGES)
    .filter(([badge]) => counts[badge] > 0 || choice.badges.has(badge))
    .map(([badge, [word]]) => chip(badge, word));
  byId("chips").replaceChildren(...chips);
  if (held) byId("chips").querySelector(`[data-badge="${held}"]`)?.focus();
  byId("shown").textContent =
    `${shown === masters.length ? shown : `${shown} of ${masters.length}`} master${masters.length === 1 ? "" : "s"}`;
  byId("clear").hidden = shown === masters.length;
  for (const button of document.querySelectorAll("[data-order]")) {
    const mine = button.dataset.order === choice.order;
    button.dataset.sorted = mine ? (choice.falling ? "down" : "up") : "";
    button.setAttribute("aria-pressed", String(mine));
  }
}

function chip(badge, word) {
  const pressed = choice.badges.has(badge);
  const toggle = () => {
    if (!choice.badges.delete(badge)) choice.badges.add(badge);
    tell("filter");
  };
  return h(
    "button",
    { type: "button", class: "chip", "data-badge": badge, "aria-pressed": String(pressed), onclick: toggle },
    word,
    h("span", { class: "count" }, String(counts[badge])),
  );
}
