// Filters and order of the list.
import { byId, h } from "./dom.js";
import { isQuarantined, masters, report, emit } from "./data.js";
import { reviewOf } from "./decisions.js";

// Each badge: its word, and when a master has it.
export const BADGES = {
  quarantined: ["quarantined", isQuarantined],
  new: ["new", (master) => master.fresh === "new"],
  changed: ["changed", (master) => master.changes.length > 0],
  waiting: ["waiting", (master) => Boolean(master.waiting)],
  approved: ["approved", (master) => reviewOf(master).state === "approved"],
  rejected: ["rejected", (master) => reviewOf(master).state === "rejected"],
  reroll: ["re-roll", (master) => reviewOf(master).state === "reroll"],
  unreviewed: ["not reviewed", (master) => reviewOf(master).state === null && !isQuarantined(master)],
  locked: ["locked", (master) => reviewOf(master).locked],
  stale: ["stale", (master) => master.status === "stale"],
  failing: ["gate failed", (master) => master.failures.length > 0 && !isQuarantined(master)],
  missed: ["off target", (master) => master.missed],
  loop: ["loop", (master) => master.loop !== null],
  placeholder: ["placeholder", (master) => master.modelFacts.placeholder],
  noncommercial: ["non-commercial", (master) => !master.modelFacts.commercial],
};
const CHIP_ONLY = new Set(["unreviewed", "loop"]);

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
  Object.keys(BADGES).filter((badge) => !CHIP_ONLY.has(badge) && BADGES[badge][1](master));

// A badge that every master has is not shown in the rows, only as a chip and on the open master.
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
      (!choice.model || master.modelFacts.model === choice.model),
  );
  counts = Object.fromEntries(
    Object.entries(BADGES).map(([badge, [, has]]) => [badge, matching.filter(has).length]),
  );
  return sorted(matching.filter((master) => [...choice.badges].every((badge) => BADGES[badge][1](master))));
}

function sorted(unsorted) {
  const key = ORDERS[choice.order];
  const sign = choice.falling ? -1 : 1;
  const keyed = unsorted.map((master) => [key(master), master]);
  keyed.sort(([keyA, a], [keyB, b]) => (keyA < keyB ? -sign : keyA > keyB ? sign : a.index - b.index));
  return keyed.map(([, master]) => master);
}

export function setOrder(order) {
  choice.falling = choice.order === order ? !choice.falling : order !== "name";
  choice.order = order;
  emit("filter");
}

export function setUpFilters() {
  const bind = (id, field) =>
    byId(id).addEventListener("input", (event) => {
      choice[field] = event.target.value;
      emit("filter");
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
  emit("filter");
}

function clear() {
  Object.assign(choice, { text: "", kind: "", tag: "", model: "", badges: new Set() });
  for (const id of ["search", "kind", "tag", "model"]) byId(id).value = "";
  emit("filter");
}

function options(id, values) {
  const select = byId(id);
  const distinct = [...new Set(values)].sort();
  select.append(...distinct.map((value) => h("option", { value }, value)));
  select.parentElement.hidden = distinct.length < 2;
}

export function showFilters(shown) {
  const focused = document.activeElement?.dataset?.badge;
  const chips = Object.entries(BADGES)
    .filter(([badge]) => counts[badge] > 0 || choice.badges.has(badge))
    .map(([badge, [word]]) => chip(badge, word));
  byId("chips").replaceChildren(...chips);
  if (focused) byId("chips").querySelector(`[data-badge="${focused}"]`)?.focus();
  byId("shown").textContent =
    `${shown === masters.length ? shown : `${shown} of ${masters.length}`} master${masters.length === 1 ? "" : "s"}`;
  byId("clear").hidden = shown === masters.length;
  for (const button of document.querySelectorAll("[data-order]")) {
    const active = button.dataset.order === choice.order;
    button.dataset.sorted = active ? (choice.falling ? "down" : "up") : "";
    button.setAttribute("aria-pressed", String(active));
  }
}

function chip(badge, word) {
  const pressed = choice.badges.has(badge);
  const toggle = () => {
    if (!choice.badges.delete(badge)) choice.badges.add(badge);
    emit("filter");
  };
  return h(
    "button",
    { type: "button", class: "chip", "data-badge": badge, "aria-pressed": String(pressed), onclick: toggle },
    word,
    h("span", { class: "count" }, String(counts[badge])),
  );
}
