// Decisions and the review state of each master. A served page writes to the review file; a page from disk stores
// decisions in this browser and exports them as a file for `cuesmith review import`.
import { saveSetting, loadSetting } from "./dom.js";
import { isQuarantined, masters, report, emit } from "./data.js";

const SCHEMA = "cuesmith.decisions/1";
const KEY = `cuesmith ${report.project} ${report.version} ${report.run}`;
const NAME = "cuesmith reviewer";
const TOKEN = "cuesmith token";
const POLL_MS = 4000;
const WORDS = {
  approve: "approved", reject: "rejected", reroll: "marked for re-roll", lock: "locked", unlock: "unlocked",
  comment: "commented on",
};

export const review = { served: false, canWrite: true, token: null, by: loadSetting(NAME) ?? "", local: readLocal() ?? [] };

let reviewState = report.standing;
const states = masters.map(() => ({ state: null, locked: false, events: [] }));

export const reviewOf = (master) => states[master.index];

export const verbFor = (action) => WORDS[action];

export function applyEvents() {
  const approved = new Set(reviewState.approved);
  const rejected = new Set(reviewState.rejected);
  const locked = new Set(reviewState.locked);
  masters.forEach((master, index) => {
    states[index].state = rejected.has(index) ? "rejected" : approved.has(index) ? "approved" : null;
    states[index].locked = locked.has(index);
    states[index].events = [];
  });
  for (const [index, subject, action, by, at, comment] of reviewState.events) {
    states[index].events.push({ subject, action, by, at, comment });
  }
  for (const decision of review.local) apply(decision);
}

function apply(decision) {
  const index = masters.findIndex((master) => !isQuarantined(master) && master.asset === decision.asset && master.variation === decision.variation);
  if (index < 0) return;
  const state = states[index];
  const subject = subjectOf(masters[index], decision);
  // A rejection applies to the take, however it is mastered; an approval to one master.
  const sameTake = decision.take === masters[index].take;
  if (subject === "master" && decision.action === "approve") state.state = "approved";
  if (sameTake && (decision.action === "reject" || decision.action === "reroll")) state.state = "rejected";
  if (decision.action === "lock") state.locked = true;
  if (decision.action === "unlock") state.locked = false;
  state.events.push({ ...decision, subject, local: true });
}

function subjectOf(master, { take, master: digest }) {
  if (digest === master.master) return "master";
  if (master.others.some((other) => other.version === null && other.master === digest)) return "candidate";
  return take === master.take ? "take" : "earlier";
}

export async function decide(master, action, comment = "") {
  const decision = {
    at: new Date().toISOString(),
    action,
    asset: master.asset,
    variation: master.variation,
    take: master.take,
    master: master.master,
    comment,
  };
  if (review.served) {
    receive(await call("POST", "decisions", decisionsFile(review.by, [decision])));
    return;
  }
  // Another tab of the same report may have saved decisions meanwhile.
  setLocal([...(readLocal() ?? review.local), { ...decision, by: review.by }]);
  if (!saveSetting(KEY, JSON.stringify(review.local))) {
    emit("problem", "This browser does not save data: export your decisions before you close the page.");
  }
}

// The decisions for the next file. A file has one reviewer: first the present name, then other names.
export function toExport() {
  const by = review.local.some((decision) => decision.by === review.by) ? review.by : review.local[0]?.by;
  return { by, decisions: review.local.filter((decision) => decision.by === by) };
}

export const exported = ({ by, decisions }) => decisionsFile(by, decisions);

const decisionsFile = (reviewer, decisions) => ({
  schema: SCHEMA, version: report.version, reviewer, decisions: decisions.map(({ by, ...decision }) => decision),
});

export function removeExported({ decisions }) {
  const exported = new Set(decisions.map((decision) => JSON.stringify(decision)));
  setLocal((readLocal() ?? review.local).filter((decision) => !exported.has(JSON.stringify(decision))));
  saveSetting(KEY, JSON.stringify(review.local));
}

function setLocal(decisions) {
  review.local = decisions;
  applyEvents();
  emit("review", null);
}

// A page from disk gets no event when another tab writes.
addEventListener("focus", () => review.served || setLocal(readLocal() ?? review.local));

export function setName(name) {
  review.by = name.trim();
  saveSetting(NAME, review.by);
  emit("name");
}

// A page from HTTP asks whether its host is a review server; on any other host it is a static page.
export async function connect() {
  applyEvents();
  if (!location.protocol.startsWith("http")) return;
  review.token = readToken();
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
  review.canWrite = review.token !== null;
  emit("connection", true);
  setInterval(poll, POLL_MS);
  document.addEventListener("visibilitychange", () => document.hidden || poll());
}

let polling = false;

async function poll() {
  if (polling || document.hidden) return;
  polling = true;
  try {
    const news = await call("GET", `standing?version=${report.version}&since=${reviewState.count}`);
    if (news) receive(news);
    emit("connection", true);
  } catch {
    emit("connection", false);
  } finally {
    polling = false;
  }
}

function receive(received) {
  reviewState = received;
  applyEvents();
  emit("review", null);
}

async function call(method, path, body) {
  const headers = review.token ? { "X-Cuesmith-Token": review.token } : {};
  if (body) headers["Content-Type"] = "application/json";
  const answer = await fetch(`../../api/${path}`, { method, headers, body: body && JSON.stringify(body) }).catch(() => {
    throw new Error("the review server does not answer; start `cuesmith review` again and open the link that it prints");
  });
  if (answer.status === 204) return null;
  const value = await answer.json().catch(() => ({}));
  if (answer.ok) return value;
  if (answer.status === 403) {
    review.canWrite = false;
    emit("connection", true);
    emit("review", null);
  }
  const problem = typeof value.detail === "string" ? value.detail : `the review server answered ${answer.status}`;
  throw Object.assign(new Error(problem), { status: answer.status });
}

// The token is in the address after the #, which browsers do not send to servers.
function readToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) history.replaceState(null, "", location.pathname);
  try {
    if (token) sessionStorage.setItem(TOKEN, token);
    return sessionStorage.getItem(TOKEN);
  } catch {
    return token;
  }
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
