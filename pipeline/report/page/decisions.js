// The review state of each master, and decisions on their way into it. A served page writes to the review file; a page
// from disk stores decisions in this browser and exports them as a file for `cuesmith review import`.
import { saveSetting, loadSetting } from "./dom.js";
import { isQuarantined, masters, report, emit, on } from "./data.js";
import { enqueue, flush, unsaved, withdraw } from "./queue.js";
import { call, server } from "./server.js";

const SCHEMA = "cuesmith.decisions/1";
const UNDO_SCHEMA = "cuesmith.undo/1";
const KEY = `cuesmith ${report.project} ${report.version} ${report.run}`;
const NAME = "cuesmith reviewer";
const POLL_MS = 4000;
const WORDS = {
  approve: "approved", reject: "rejected", reroll: "marked for re-roll", lock: "locked", unlock: "unlocked",
  comment: "commented on", clear: "marked as unreviewed",
};
const STATES = { approve: "approved", reject: "rejected", reroll: "reroll", clear: null };

export const review = {
  served: false, canWrite: true, connected: true, latest: report.version, by: loadSetting(NAME) ?? "", local: readLocal() ?? [],
};

let reviewState = report.standing;
const states = masters.map(() => ({ state: null, locked: false, events: [] }));
const places = new Map(masters.filter((master) => !isQuarantined(master)).map((master) => [placeOf(master), master.index]));

function placeOf({ asset, variation }) {
  return `${asset} ${variation}`;
}

export const reviewOf = (master) => states[master.index];

export const verbFor = (action) => WORDS[action];

// Why nobody can decide this on a master; null if one can.
export function refusalOf(master, action) {
  if (isQuarantined(master)) return "quarantined, so you cannot review it";
  const { locked, state } = reviewOf(master);
  if (locked && (action === "reject" || action === "reroll")) return "locked, so no build replaces it: unlock it first";
  if (action === "lock" && (state === "rejected" || state === "reroll")) {
    return "replaced by the next build, so you cannot lock it: approve it, or mark it as unreviewed first";
  }
  return null;
}

function applyEvents() {
  const sets = ["approved", "rejected", "reroll"].map((state) => [state, new Set(reviewState[state])]);
  const locked = new Set(reviewState.locked);
  masters.forEach((master, index) => {
    states[index].state = sets.find(([, set]) => set.has(index))?.[0] ?? null;
    states[index].locked = locked.has(index);
    states[index].events = [];
  });
  for (const [index, subject, action, by, at, comment] of reviewState.events) {
    states[index].events.push({ subject, action, by, at, comment });
  }
  for (const decision of review.served ? heldHere() : review.local) apply(decision);
}

function apply(decision) {
  const index = places.get(placeOf(decision));
  if (index === undefined) return;
  const state = states[index];
  const subject = subjectOf(masters[index], decision);
  // A rejection applies to the take, however it is mastered; an approval to one master.
  const applies = decision.action === "approve" ? subject === "master" : decision.take === masters[index].take;
  if (applies && decision.action in STATES) state.state = STATES[decision.action];
  if (decision.action === "lock") state.locked = true;
  if (decision.action === "unlock") state.locked = false;
  state.events.push({ ...decision, subject, local: review.served ? "not saved yet" : "not exported yet" });
}

function subjectOf(master, { take, master: digest }) {
  if (digest === master.master) return "master";
  if (master.others.some((other) => other.version === null && other.master === digest)) return "candidate";
  return take === master.take ? "take" : "earlier";
}

// Decides on masters, all or none; see `enqueue` for what it returns. A page from disk returns the decisions as `local`.
export async function decide(targets, action, comment = "", text = "") {
  const at = new Date().toISOString();
  const decisions = targets.map(({ asset, variation, take, master }) => ({ at, action, asset, variation, take, master, comment }));
  if (review.served) {
    return enqueue("decisions", decisionsFile(review.by, decisions), { seen: reviewState.count, latest: report.version, text });
  }
  const local = decisions.map((decision) => ({ ...decision, by: review.by }));
  // Another tab of the same report may have saved decisions meanwhile.
  setLocal([...(readLocal() ?? review.local), ...local]);
  if (!saveSetting(KEY, JSON.stringify(review.local))) {
    emit("problem", "This browser does not save data: export your decisions before you close the page.");
  }
  return { local };
}

export function undoSaved(ids, reviewer, text) {
  const body = { schema: UNDO_SCHEMA, version: report.version, reviewer, decisions: ids };
  return enqueue("undo", body, { seen: reviewState.count, latest: report.version, text });
}

// Decisions of this page that the server does not have yet and that nobody has to answer first.
const heldHere = () =>
  unsaved()
    .filter((entry) => entry.path === "decisions" && entry.body.version === report.version && !entry.questions && !entry.fault)
    .flatMap((entry) => entry.body.decisions.map((decision) => ({ ...decision, by: entry.body.reviewer })));

// The decisions for the next file. A file has one reviewer: first the present name, then other names.
export function toExport() {
  const all = review.served ? heldHere() : review.local;
  const by = all.some((decision) => decision.by === review.by) ? review.by : all[0]?.by;
  const decisions = all.filter((decision) => decision.by === by);
  return { by, decisions, isAll: decisions.length === all.length && by === review.by };
}

export const exported = ({ by, decisions }) => decisionsFile(by, decisions);

const decisionsFile = (reviewer, decisions) => ({
  schema: SCHEMA, version: report.version, reviewer, decisions: decisions.map(({ by, ...decision }) => decision),
});

export function removeLocal(decisions) {
  const removed = new Set(decisions.map((decision) => JSON.stringify(decision)));
  setLocal((readLocal() ?? review.local).filter((decision) => !removed.has(JSON.stringify(decision))));
  saveSetting(KEY, JSON.stringify(review.local));
}

export function removeExported({ by, decisions }) {
  if (!review.served) removeLocal(decisions);
  for (const entry of unsaved()) {
    if (review.served && entry.path === "decisions" && entry.body.reviewer === by && entry.body.version === report.version) withdraw(entry.id);
  }
}

function setLocal(decisions) {
  review.local = decisions;
  show();
}

function show() {
  applyEvents();
  emit("review", null);
}

// A page from disk gets no event when another tab writes.
addEventListener("focus", () => {
  const name = loadSetting(NAME);
  if (!review.by && name) setName(name);
  if (!review.served) setLocal(readLocal() ?? review.local);
});

export function setName(name) {
  review.by = name.trim();
  saveSetting(NAME, review.by);
  emit("name");
}

// A page from HTTP asks whether its host is a review server; on any other host it is a static page.
export async function connect() {
  applyEvents();
  if (!location.protocol.startsWith("http")) return;
  try {
    receive(await call("GET", `standing?version=${report.version}`));
  } catch (error) {
    if (error.status === 409) {
      // A review server that cannot read its store: decisions would be lost.
      review.canWrite = false;
      emit("problem", error.message);
    }
    return;
  }
  review.served = true;
  review.canWrite = server.token !== null;
  // Another page of this browser may have left decisions on another version.
  on("standing", ({ answer, version }) => (version === report.version ? receive(answer) : poll()));
  on("lost", (error) => {
    if (error.status === 403) review.canWrite = false;
    review.connected = error.status === 403;
    emit("connection");
  });
  on("unsaved", show);
  emit("connection");
  if (review.canWrite) flush();
  setInterval(poll, POLL_MS);
  document.addEventListener("visibilitychange", () => document.hidden || poll());
}

let polling = false;

async function poll() {
  if (polling || document.hidden) return;
  polling = true;
  try {
    const news = await call("GET", `standing?version=${report.version}&since=${reviewState.count}&latest=${review.latest}`);
    review.connected = true;
    if (news) receive(news);
    if (review.canWrite) flush();
  } catch {
    review.connected = false;
  } finally {
    polling = false;
    emit("connection");
  }
}

function receive(received) {
  reviewState = received;
  review.latest = received.latest;
  show();
  emit("latest");
}

// The saved decisions; null if this browser saved none. A decision without a name gets the present name.
function readLocal() {
  try {
    const saved = JSON.parse(loadSetting(KEY));
    return Array.isArray(saved) ? saved.map((decision) => ({ ...decision, by: decision.by ?? loadSetting(NAME) ?? "" })) : null;
  } catch {
    return null;
  }
}
