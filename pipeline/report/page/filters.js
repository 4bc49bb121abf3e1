// Filters and order of the list.
import { byId, h } from "./dom.js";
import { isQuarantined, masters, on, report, emit } from "./data.js";
import { reviewOf } from "./decisions.js";
import { HISTOGRAMS, barOf, setUpHistograms, showHistograms } from "./histograms.js";
import { HELP, parseQuery } from "./query.js";

// Each badge: its word, and when a master has it.
export const BADGES = {
  quarantined: ["quarantined", isQuarantined],
  new: ["new", (master) => master.fresh === "new"],
  changed: ["changed", (master) => master.changes.length > 0],
  waiting: ["waiting", (master) => Boolean(master.waiting)],
  approved: ["approved", (master) => reviewOf(master).state === "approved"],
  rejected: ["rejected", (master) => reviewOf(master).state === "rejected"],
  reroll: ["re-roll", (master) => reviewOf(master).state === "reroll"],
  unreviewed: ["unreviewed", (master) => reviewOf(master).state === null && !isQuarantined(master)],
  locked: ["locked", (master) => reviewOf(master).locked],
  stale: ["stale", (master) => master.status === "stale"],
  failing: ["gate failed", (master) => master.failures.length > 0 && !isQuarantined(master)],
  missed: ["off target", (master) => master.missed],
  unmarked: ["watermark lost", (master) => master.unmarked.length > 0],
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

const distinct = (values) => [...new Set(values)].sort();

// A badge's word as one writes it in a search and in the address.
const slugOf = (badge) => BADGES[badge][0].replaceAll(" ", "-");

const known = {
  kind: distinct(masters.map((master) => master.kind)),
  tag: distinct(masters.flatMap((master) => master.tags)),
  model: distinct(report.models.map((model) => model.model)),
  is: Object.fromEntries(Object.keys(BADGES).map((badge) => [slugOf(badge), BADGES[badge][1]])),
};
const SELECTS = ["kind", "tag", "model"];
const NO_FILTER = { text: "", kind: "", tag: "", model: "", badges: new Set(), off: null, length: null };

// `problem` says which part of an address this version does not know.
export const choice = { ...NO_FILTER, order: "name", falling: false, problem: "" };

let counts = {};
let common = new Set();

export const badgesOf = (master) =>
  Object.keys(BADGES).filter((badge) => !CHIP_ONLY.has(badge) && BADGES[badge][1](master));

// A badge that every master has is not shown in the rows, only as a chip and on the open master.
export const rowBadgesOf = (master) => badgesOf(master).filter((badge) => !common.has(badge));

function findCommon() {
  common = new Set(Object.keys(BADGES).filter((badge) => masters.length > 1 && masters.every(BADGES[badge][1])));
}

// The number on a chip, or on a bar, is what the list would show with it, beside the other filters.
export function listed() {
  findCommon();
  const query = parseQuery(choice.text, known);
  const found = masters.filter(
    (master) =>
      query.test(master) &&
      (!choice.kind || master.kind === choice.kind) &&
      (!choice.tag || master.tags.includes(choice.tag)) &&
      (!choice.model || master.modelFacts.model === choice.model),
  );
  const within = (master, name) => choice[name] === null || master.bars[name] === choice[name];
  const badged = found.filter((master) => [...choice.badges].every((badge) => BADGES[badge][1](master)));
  const inBars = found.filter((master) => within(master, "off") && within(master, "length"));
  counts = Object.fromEntries(
    Object.entries(BADGES).map(([badge, [, has]]) => [badge, inBars.filter(has).length]),
  );
  showHistograms(
    { off: badged.filter((master) => within(master, "length")), length: badged.filter((master) => within(master, "off")) },
    choice,
  );
  showQueryProblem([choice.problem, ...query.problems].filter(Boolean));
  return sorted(badged.filter((master) => within(master, "off") && within(master, "length")));
}

function showQueryProblem(problems) {
  byId("query-problem").textContent = problems.join(" ");
  byId("search").setAttribute("aria-invalid", String(problems.length > 0));
}

function sorted(unsorted) {
  const key = ORDERS[choice.order];
  const sign = choice.falling ? -1 : 1;
  const keyed = unsorted.map((master) => [key(master), master]);
  keyed.sort(([keyA, a], [keyB, b]) => (keyA < keyB ? -sign : keyA > keyB ? sign : a.index - b.index));
  return keyed.map(([, master]) => master);
}

function change(fields) {
  Object.assign(choice, { problem: "" }, fields);
  emit("filter");
}

function setOrder(order) {
  change({ falling: choice.order === order ? !choice.falling : order !== "name", order });
}

export function setUpFilters() {
  byId("search").addEventListener("input", (event) => change({ text: event.target.value }));
  for (const id of SELECTS) {
    byId(id).append(...known[id].map((value) => h("option", { value }, value)));
    byId(id).parentElement.hidden = known[id].length < 2;
    byId(id).addEventListener("input", (event) => change({ [id]: event.target.value }));
  }
  byId("clear").addEventListener("click", () => setFilters(NO_FILTER));
  for (const button of document.querySelectorAll("[data-order]")) {
    button.addEventListener("click", () => setOrder(button.dataset.order));
  }
  byId("search-help").replaceChildren(
    ...HELP.map(([term, text]) => h("div", {}, h("dt", {}, h("code", {}, term)), h("dd", {}, text))),
  );
  setUpHistograms();
  on("bar", ({ name, key }) => change({ [name]: choice[name] === key ? null : key }));
}

export const only = (badge) => setFilters({ ...NO_FILTER, badges: new Set([badge]) });

function setFilters(fields) {
  change(fields);
  showFields();
}

function showFields() {
  byId("search").value = choice.text;
  for (const id of SELECTS) byId(id).value = choice[id];
}

// The filters as pairs for an address, without those that filter nothing.
export function filterPairs() {
  const pairs = {
    q: choice.text.trim(), kind: choice.kind, tag: choice.tag, model: choice.model,
    show: [...choice.badges].map(slugOf).join(","), off: choice.off, length: choice.length,
    sort: choice.order === "name" && !choice.falling ? "" : `${choice.falling ? "-" : ""}${choice.order}`,
  };
  return Object.entries(pairs).filter(([, value]) => value);
}

// Takes the filters from an address; does not emit. What this version does not have becomes `choice.problem`.
export function takeFilters(params) {
  const unknown = [];
  const valid = (key, values) => {
    const value = params.get(key) ?? "";
    if (!value || values.includes(value)) return value;
    unknown.push(`${key}=${value}`);
    return "";
  };
  // Links may also write unreviewed as not-reviewed.
  const show = (params.get("show") ?? "").replace("not-reviewed", "unreviewed");
  const text = (params.get("q") ?? "").replaceAll("is:not-reviewed", "is:unreviewed");
  const badges = new Set();
  for (const slug of show.split(",").filter(Boolean)) {
    const badge = Object.keys(BADGES).find((badge) => slugOf(badge) === slug);
    if (badge) badges.add(badge);
    else unknown.push(`show=${slug}`);
  }
  const sort = valid("sort", Object.keys(ORDERS).flatMap((order) => [order, `-${order}`]));
  Object.assign(choice, NO_FILTER, { badges, text, order: sort.replace("-", "") || "name", falling: sort.startsWith("-") });
  for (const id of SELECTS) choice[id] = valid(id, known[id]);
  for (const name of Object.keys(HISTOGRAMS)) choice[name] = valid(name, HISTOGRAMS[name].bars.map((bar) => bar.key)) || null;
  choice.problem = unknown.length ? `Ignored ${unknown.join(", ")} in the address: this version does not have it.` : "";
  showFields();
}

export function showFilters(shown) {
  const focused = document.activeElement?.dataset?.badge;
  const chips = Object.entries(BADGES)
    .filter(([badge]) => counts[badge] > 0 || choice.badges.has(badge))
    .map(([badge, [word]]) => chip(badge, word));
  byId("chips").replaceChildren(...barChips(), ...chips);
  if (focused) byId("chips").querySelector(`[data-badge="${focused}"]`)?.focus();
  // A quarantined sound is no master of the version: the status line counts the two apart.
  const noun = masters.some(isQuarantined) ? "sound" : "master";
  byId("shown").textContent =
    `${shown === masters.length ? shown : `${shown} of ${masters.length}`} ${noun}${masters.length === 1 ? "" : "s"}`;
  byId("clear").hidden = filterPairs().every(([key]) => key === "sort");
  for (const button of document.querySelectorAll("[data-order]")) {
    const active = button.dataset.order === choice.order;
    button.dataset.sorted = active ? (choice.falling ? "down" : "up") : "";
    button.setAttribute("aria-pressed", String(active));
  }
}

function barChips() {
  return Object.keys(HISTOGRAMS).filter((name) => choice[name] !== null).map((name) => {
    const { words } = barOf(name, choice[name]);
    return h("button", {
      type: "button", class: "chip", "data-remove": name, "aria-label": `${words}: remove this filter`, "aria-pressed": "true",
      onclick: () => {
        change({ [name]: null });
        byId("list").focus();
      },
    }, words, h("span", { class: "count" }, "×"));
  });
}

function chip(badge, word) {
  const pressed = choice.badges.has(badge);
  const toggle = () => {
    const badges = new Set(choice.badges);
    if (!badges.delete(badge)) badges.add(badge);
    change({ badges });
  };
  return h(
    "button",
    { type: "button", class: "chip", "data-badge": badge, "aria-pressed": String(pressed), onclick: toggle },
    word,
    h("span", { class: "count" }, String(counts[badge])),
  );
}
