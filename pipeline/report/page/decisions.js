// Decisions: where each master stands. A served page writes to the review file; a page from disk keeps decisions in
// this browser and exports them as a file for `cuesmith review import`.
import { isQuarantined, masters, report, tell } from "./data.js";

const SCHEMA = "cuesmith.decisions/1";
const KEY = `cuesmith ${report.project} ${report.version} ${report.run}`;
const NAME = "cuesmith reviewer";
const TOKEN = "cuesmith token";
const POLL_MS = 4000;
const WORDS = {
  approve: "approved", reject: "rejected", reroll: "to be re-rolled", lock: "locked", unlock: "unlocked",
  comment: "commented on",
};

export const review = { served: false, canWrite: true, token: null, by: readName(), local: readLocal() };

let standing = report.standing;
const states = masters.map(() => ({ state: null, locked: false, events: [] }));

export const standingOf = (master) => states[master.index];

export const wordFor = (action) => WORDS[action];

export function fold() {
  const approved = new Set(standing.approved);
  const rejected = new Set(standing.rejected);
  const locked = new Set(standing.locked);
  masters.forEach((master, index) => {
    states[index].state = rejected.has(index) ? "rejected" : approved.has(index) ? "approved" : null;
    states[index].locked = locked.has(index);
    states[index].events = [];
  });
  for (const [index, heard, action, by, at, comment] of standing.events) {
    states[index].events.push({ heard, action, by, at, comment });
  }
  for (const decision of review.local) apply(decision);
}

function apply(decision) {
  const index = masters.findIndex((one) => !isQuarantined(one) && one.asset === decision.asset && one.variation === decision.variation);
  if (index < 0) return;
  const now = states[index];
  const about = decision.master === masters[index].master;
  if (about && decision.action === "approve") now.state = "approved";
  if (about && (decision.action === "reject" || decision.action === "reroll")) now.state = "rejected";
  if (decision.action === "lock") now.locked = true;
  if (decision.action === "unlock") now.locked = false;
  now.events.push({ ...decision, heard: about ? "master" : "earlier", by: review.by || "you", local: true });
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
  if (!review.served) {
    review.local.push(decision);
    localStorage.setItem(KEY, JSON.stringify(review.local));
    fold();
    tell("standing", [master.index]);
    return;
  }
  take(await call("POST", "decisions", handedOver([decision])));
}

export const exported = () => handedOver(review.local);

const handedOver = (decisions) => ({ schema: SCHEMA, version: report.version, reviewer: review.by, decisions });

export function forgetLocal() {
  review.local = [];
  localStorage.removeItem(KEY);
  fold();
  tell("standing", null);
}

export function setName(name) {
  review.by = name.trim();
  localStorage.setItem(NAME, review.by);
  tell("name");
}

// A page that came over HTTP asks whether a review server stands behind it; any other host leaves it a static page.
export async function connect() {
  fold();
  if (!location.protocol.startsWith("http")) return;
  review.token = readToken();
  try {
    take(await call("GET", `standing?version=${report.version}`));
  } catch {
    return;
  }
  review.served = true;
  review.canWrite = review.token !== null;
  tell("connection", true);
  setInterval(poll, POLL_MS);
  document.addEventListener("visibilitychange", () => document.hidden || poll());
}

let asking = false;

async function poll() {
  if (asking || document.hidden) return;
  asking = true;
  try {
    const found = await call("GET", `standing?version=${report.version}&since=${standing.count}`);
    if (found) take(found);
    tell("connection", true);
  } catch {
    tell("connection", false);
  } finally {
    asking = false;
  }
}

function take(found) {
  standing = found;
  fold();
  tell("standing", null);
}

async function call(method, path, body) {
  const headers = review.token ? { "X-Cuesmith-Token": review.token } : {};
  if (body) headers["Content-Type"] = "application/json";
  const answer = await fetch(`../../api/${path}`, { method, headers, body: body && JSON.stringify(body) });
  if (answer.status === 204) return null;
  const value = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(typeof value.detail === "string" ? value.detail : `the review server says ${answer.status}`);
  return value;
}

// The token comes once in the address, behind the #, which no server and no log sees.
function readToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem(TOKEN, given);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem(TOKEN);
}

function readLocal() {
  try {
    const found = JSON.parse(localStorage.getItem(KEY));
    return Array.isArray(found) ? found : [];
  } catch {
    return [];
  }
}

function readName() {
  try {
    return localStorage.getItem(NAME) ?? "";
  } catch {
    return "";
  }
}
