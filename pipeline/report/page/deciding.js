// From a key or a button to a decision: who decides, on what, and what the server asks before it counts.
import { byId, h, announce } from "./dom.js";
import { emit, isQuarantined, on, report } from "./data.js";
import { ask, listNames } from "./ask.js";
import { decide, refusalOf, review, setName, verbFor } from "./decisions.js";
import { resend, unsaved, withdraw } from "./queue.js";
import { confirm, dismiss } from "./undo.js";

const MANY = 20;
const COMMANDS = {
  approve: "Approve", reject: "Reject", reroll: "Re-roll", lock: "Lock", unlock: "Unlock", clear: "Mark as unreviewed", comment: "Comment on",
};
const DONE = {
  approve: "Approved", reject: "Rejected", reroll: "Marked for re-roll:", lock: "Locked", unlock: "Unlocked", clear: "Unreviewed again:",
  comment: "Commented on",
};
let waiting = null;
let shownUnsaved = "";

const counted = (count) => `${count} master${count === 1 ? "" : "s"}`;
const capital = (text) => text[0].toUpperCase() + text.slice(1);

// What speaks against a decision of this page on any master; shows it.
function blocked(then) {
  if (!review.canWrite) {
    announce("This page is read-only: you cannot review here");
    return true;
  }
  if (review.by) return false;
  waiting = then;
  askName();
  return true;
}

// Decides on one master. `sent` is called as soon as the decision is on its way. True if it is saved or kept for saving.
export async function decideOne({ master, target, action, comment }, sent = () => {}) {
  if (blocked(() => emit("decide", { master, action }))) return false;
  const refusal = refusalOf(master, action);
  if (refusal) {
    confirm(`${master.name} is ${refusal}`);
    return false;
  }
  sent();
  return finish(await decide([target], action, comment, `${master.name} ${verbFor(action)}`), action, [master]);
}

// Decides on several masters, in one request. `hidden` of them are not in the list at present.
export async function decideAll({ masters, action, hidden = 0 }) {
  if (blocked(() => decideAll({ masters, action, hidden }))) return;
  const fit = masters.filter((master) => refusalOf(master, action) === null);
  const left = leftOut(masters, fit);
  if (!fit.length) {
    confirm(["Nothing decided", ...left].join(". "));
    return;
  }
  const about = [hidden ? `${hidden} of them ${hidden === 1 ? "is" : "are"} not in the list at present` : "", ...left];
  if ((fit.length > MANY || hidden) && !(await sure(fit, action, about))) return;
  const outcome = await decide(fit, action, "", `${named(fit)} ${verbFor(action)}`);
  if (await finish(outcome, action, fit, left)) emit("batch-decided");
}

function leftOut(masters, fit) {
  const out = masters.filter((master) => !fit.includes(master));
  const quarantined = out.filter(isQuarantined).length;
  const others = out.filter((master) => !isQuarantined(master));
  return [
    quarantined ? `${quarantined} quarantined left out` : "",
    others.length ? `left out because of a lock or a re-roll: ${listNames(others.map((master) => master.name))}` : "",
  ].filter(Boolean).map(capital);
}

async function sure(masters, action, about) {
  const title = `${COMMANDS[action]} ${counted(masters.length)}?`;
  const lines = [listNames(masters.map((master) => master.name)), ...about.filter(Boolean).map((line) => `${line}.`)];
  const buttons = [["yes", `${COMMANDS[action]} ${masters.length}`, "primary"], ["", "Cancel"]];
  return (await ask({ title, lines, buttons })) === "yes";
}

// What became of a decision. `notes`: more to say about it.
async function finish(outcome, action, masters, notes = []) {
  if (outcome.asked || outcome.refused) dismiss();
  if (outcome.asked) return answer(outcome.asked);
  if (outcome.refused) return false;
  const step = { masters, by: review.by, local: outcome.local, held: outcome.held, saved: outcome.saved?.saved };
  const more = [outcome.held ? "Not saved yet: the review server does not answer" : "", ...notes].filter(Boolean);
  const text = (what) => [what, ...more].join(". ");
  const name = named(masters);
  confirm(text(`${DONE[action]} ${name}`), action === "comment" ? null : step, text(`${name} ${verbFor(action)}`));
  return true;
}

const named = (masters) => (masters.length === 1 ? masters[0].name : counted(masters.length));

// The questions of the server about one entry: what changed since the reviewer looked.
async function answer(entry) {
  const { decisions } = entry.body;
  const concerned = new Set(entry.questions.map((question) => question.decision));
  const { action } = decisions[0];
  const one = decisions.length === 1;
  const title = `${COMMANDS[action]} ${one ? entry.questions[0].name : counted(decisions.length)}?`;
  const lines = entry.questions.slice(0, 8).map(({ name, words }) => `${one ? "" : `${name}: `}${one ? capital(words) : words}.`);
  if (entry.questions.length > 8) lines.push(`And ${entry.questions.length - 8} more.`);
  const rest = decisions.length - concerned.size;
  const newer = entry.latest > report.version;
  const chosen = await ask({
    title, lines,
    link: newer && entry.questions.some(({ reason }) => reason === "replaced") ? h("a", { href: "../../" }, `Open version ${entry.latest}`) : null,
    buttons: [
      ...(rest ? [["others", `Only the other ${rest}`, "primary"]] : []),
      ["none", "Do not decide"],
      ["all", `${COMMANDS[action]}${one ? " anyway" : ` all ${decisions.length}`}`],
    ],
  });
  if (chosen === "none") withdraw(entry.id);
  if (chosen !== "all" && chosen !== "others") return false;
  const kept = decisions.filter((_, place) => chosen === "all" || !concerned.has(place));
  return finish(await resend(entry, kept), action, mastersOf(kept));
}

const mastersOf = (decisions) =>
  report.masters.filter(
    (master) => !isQuarantined(master) && decisions.some(({ asset, variation }) => master.asset === asset && master.variation === variation),
  );

function askName() {
  byId("name").value = review.by;
  byId("who").returnValue = "";
  byId("who").showModal();
}

// The decisions that the server does not have yet, and why.
function showUnsaved() {
  const entries = review.served ? unsaved() : [];
  const away = entries.filter((entry) => !entry.questions && !entry.fault);
  const offline = away.length > 0 && (!review.connected || !review.canWrite);
  // New buttons would take the focus away.
  const facts = JSON.stringify([entries, offline, review.canWrite]);
  if (facts === shownUnsaved) return;
  shownUnsaved = facts;
  const items = entries.filter((entry) => entry.questions || entry.fault).map(unsavedItem);
  if (offline) items.unshift(h("p", {}, offlineText(away)));
  byId("unsaved").replaceChildren(...items);
}

function offlineText(entries) {
  const count = entries.reduce((sum, entry) => sum + entry.body.decisions.length, 0);
  const what = `${count} decision${count === 1 ? "" : "s"} not saved yet (${listNames(entries.map((entry) => entry.text))})`;
  return review.canWrite
    ? `${what}: the review server does not answer. This browser keeps them and saves them when it is back; to start it: cuesmith review`
    : `${what}: this page may not write. Open the link that cuesmith review printed; this browser keeps them until then.`;
}

function unsavedItem(entry) {
  const one = entry.body.decisions.length === 1;
  const reason = entry.fault ?? entry.questions.map(({ name, words }) => (one ? words : `${name}: ${words}`)).join("; ");
  const buttons = entry.fault
    ? [h("button", { type: "button", onclick: () => resend(entry) }, "Try again"), h("button", { type: "button", onclick: () => withdraw(entry.id) }, "Discard")]
    : [h("button", { type: "button", onclick: () => answer(entry) }, "Answer")];
  const sentence = one || entry.fault ? capital(reason) : reason;
  return h("p", {}, `Not saved: ${entry.text || "a decision"}. ${sentence}. `, ...buttons);
}

export function setUpDeciding() {
  byId("who").addEventListener("close", () => {
    const then = waiting;
    waiting = null;
    if (byId("who").returnValue !== "keep") return;
    setName(byId("name").value);
    if (review.by) then?.();
  });
  byId("reviewer").addEventListener("click", askName);
  for (const news of ["unsaved", "connection", "review"]) on(news, showUnsaved);
}
