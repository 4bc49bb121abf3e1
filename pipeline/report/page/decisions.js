// Decisions: where each master stands. A served page writes to the review file; a page from disk keeps decisions in
// this browser and exports them as a file for `cuesmith review import`.
import { keep, recall } from "./dom.js";
import { isQuarantined, masters, report, tell } from "./data.js";

const SCHEMA = "cuesmith.decisions/1";
const KEY = `cuesmith ${report.project} ${report.version} ${report.run}`;
const NAME = "cuesmith reviewer";
const TOKEN = "cuesmith token";
const POLL_MS = 4000;
const WORDS = {
  approve: "approved", reject: "rejected", reroll: "marked for re-roll", lock: "locked", unlock: "unlocked",
  comment: "commented on",
};

export const review = { served: false, canWrite: true, token: null, by: recall(NAME) ?? "", local: readLocal() ?? [] };

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
  const heard = heardIn(masters[index], decision);
  // A rejection is of the take, however it is mastered; an approval is of one master.
  const sameTake = decision.take === masters[index].take;
  if (heard === "master" && decision.action === "approve") now.state = "approved";
  if (sameTake && (decision.action === "reject" || decision.action === "reroll")) now.state = "rejected";
  if (decision.action === "lock") now.locked = true;
  if (decision.action === "unlock") now.locked = false;
  now.events.push({ ...decision, heard, local: true });
}

function heardIn(master, { take, master: digest }) {
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
    take(await call("POST", "decisions", handedOver(review.by, [decision])));
    return;
  }
  // Another tab of the same report may have decided meanwhile.
  setLocal([...(readLocal() ?? review.local), { ...decision, by: review.by }]);
  if (!keep(KEY, JSON.stringify(review.local))) {
    tell("problem", "This browser does not save data: export your decisions before you close the page.");
  }
}

// What a file takes: a file speaks for one person, so those under the present name, and then those under another.
export function toExport() {
  const by = review.local.some((decision) => decision.by === review.by) ? review.by : review.local[0]?.by;
  return { by, decisions: review.local.filter((decision) => decision.by === by) };
}

export const exported = ({ by, decisions }) => handedOver(by, decisions);

const handedOver = (reviewer, decisions) => ({
  schema: SCHEMA, version: report.version, reviewer, decisions: decisions.map(({ by, ...said }) => said),
});

export function forgetLocal({ decisions }) {
  const gone = new Set(decisions.map((decision) => JSON.stringify(decision)));
  setLocal((readLocal() ?? review.local).filter((decision) => !gone.has(JSON.stringify(decision))));
  keep(KEY, JSON.stringify(review.local));
}

function setLocal(decisions) {
  review.local = decisions;
  fold();
  tell("standing", null);
}

// Pages from disk are told nothing when another tab writes.
addEventListener("focus", () => review.served || setLocal(readLocal() ?? review.local));

export function setName(name) {
  review.by = name.trim();
  keep(NAME, review.by);
  tell("name");
}

// A page that came over HTTP asks whether a review server stands behind it; any other host leaves it a static page.
export async function connect() {
  fold();
  if (!location.protocol.startsWith("http")) return;
  review.token = readToken();
  try {
    take(await call("GET", `standing?version=${report.version}`));
  } catch (error) {
    if (error.status === 409) {
      // A review server, with a store that it cannot read: what is decided here would reach nobody.
      review.canWrite = false;
      tell("problem", error.message);
    }
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
  const answer = await fetch(`../../api/${path}`, { method, headers, body: body && JSON.stringify(body) }).catch(() => {
    throw new Error("the review server does not answer; start `cuesmith review` again and open the link that it prints");
  });
  if (answer.status === 204) return null;
  const value = await answer.json().catch(() => ({}));
  if (answer.ok) return value;
  if (answer.status === 403) {
    review.canWrite = false;
    tell("connection", true);
    tell("standing", null);
  }
  const said = typeof value.detail === "string" ? value.detail : `the review server says ${answer.status}`;
  throw Object.assign(new Error(said), { status: answer.status });
}

// The token comes once in the address, behind the #, which no server and no log sees.
function readToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) history.replaceState(null, "", location.pathname);
  try {
    if (given) sessionStorage.setItem(TOKEN, given);
    return sessionStorage.getItem(TOKEN);
  } catch {
    return given;
  }
}

// What was decided here before; null where this browser kept nothing. A decision without a name is by who is named here.
function readLocal() {
  try {
    const found = JSON.parse(recall(KEY));
    return Array.isArray(found) ? found.map((decision) => ({ ...decision, by: decision.by ?? recall(NAME) ?? "" })) : null;
  } catch {
    return null;
  }
}
