// The page, put together.
import { byId, keep, recall, say } from "./dom.js";
import { hear, isQuarantined, report, tell } from "./data.js";
import { connect, decide, exported, forgetLocal, review, setName, toExport, wordFor } from "./decisions.js";
import { focusDetail, forgetComment, refreshStanding, setUpDetail, showDetail, writtenComment } from "./detail.js";
import { setVolume } from "./engine.js";
import { listed, setUpFilters, showFilters } from "./filters.js";
import { setUpKeys } from "./keys.js";
import { current, mark, move, refresh, select, setUpList, show } from "./list.js";
import { choose, decidedOn, play, player } from "./player.js";

const THEME = "cuesmith theme";
let waiting = null;
let handed = null;
const unkept = new Map();

function update() {
  const found = listed();
  show(found);
  showFilters(found.length);
}

async function act({ master, action }) {
  if (!master) return;
  if (!review.canWrite) {
    say("This page is read-only: you cannot review here");
    return;
  }
  if (isQuarantined(master)) {
    say(`${master.name} is quarantined: you cannot review it`);
    return;
  }
  if (!review.by) {
    waiting = { master, action };
    askWho();
    return;
  }
  const comment = writtenComment(master);
  if (action === "comment" && !comment) {
    byId("comment").focus();
    return;
  }
  const heard = decidedOn(master);
  // Before the server answers, so that whoever is quick does not decide twice on the same master.
  if (action === "approve" || action === "reject") move(1);
  try {
    await decide(heard, action, comment);
    forgetComment(master, comment);
    say(`${master.name} ${wordFor(action)}`);
    if (unkept.delete(master)) showProblem(notKept());
  } catch (error) {
    unkept.set(master, error.message);
    showProblem(notKept());
  }
}

// Each stays told until a decision on that very master is kept: the next one's success is no comfort.
function notKept() {
  const names = [...unkept.keys()].map((master) => master.name);
  if (!names.length) return "";
  const which = names.length > 4 ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more` : names.join(", ");
  const decisions = names.length === 1 ? `The decision on ${which} was` : `The decisions on ${which} were`;
  return `${decisions} not saved: ${[...unkept.values()].at(-1)}.`;
}

function askWho() {
  byId("name").value = review.by;
  byId("who").returnValue = "";
  byId("who").showModal();
}

function showProblem(text) {
  byId("problem").textContent = text;
}

function showStanding() {
  showFilters(listed().length);
  refresh();
  refreshStanding();
  showExport();
}

function showExport() {
  const { by, decisions } = toExport();
  const count = decisions.length;
  byId("export").hidden = review.served || count === 0;
  if (!count) return;
  const whose = count === review.local.length && by === review.by ? "" : ` of ${by}`;
  byId("export").textContent = `Export ${count} decision${count === 1 ? "" : "s"}${whose}`;
}

function exportFile() {
  handed = toExport();
  const text = JSON.stringify(exported(handed), null, 1);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = `decisions-${report.project}-v${report.version}-${handed.by.replace(/[^\p{L}\p{N}]+/gu, "-")}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  byId("exported").showModal();
}

function setUpTheme() {
  const button = byId("theme");
  const apply = (theme) => {
    document.documentElement.dataset.theme = theme;
    button.textContent = { auto: "Theme: auto", light: "Theme: light", dark: "Theme: dark" }[theme];
    refresh();
    tell("player");
  };
  let theme = recall(THEME) ?? "auto";
  button.addEventListener("click", () => {
    theme = { auto: "light", light: "dark", dark: "auto" }[theme] ?? "auto";
    keep(THEME, theme);
    apply(theme);
  });
  apply(theme);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => apply(theme));
}

function setUpDialogs() {
  byId("who").addEventListener("close", () => {
    const then = waiting;
    waiting = null;
    if (byId("who").returnValue !== "keep") return;
    setName(byId("name").value);
    if (review.by && then) act(then);
  });
  byId("reviewer").addEventListener("click", askWho);
  byId("show-keys").addEventListener("click", () => byId("help").showModal());
  byId("export").addEventListener("click", exportFile);
  byId("forget").addEventListener("click", () => forgetLocal(handed));
  byId("volume").addEventListener("input", (event) => setVolume(Number(event.target.value)));
}

function showReviewer() {
  byId("reviewer").textContent = review.by ? `Reviewer: ${review.by}` : "Who are you?";
  showExport();
}

async function start() {
  setUpFilters();
  setUpList();
  setUpDetail();
  setUpKeys();
  setUpDialogs();
  hear("filter", update);
  hear("standing", showStanding);
  hear("name", showReviewer);
  hear("decide", act);
  hear("play", (master) => {
    choose(master);
    play(0);
  });
  hear("turn", (master) => {
    choose(master);
    select(master);
  });
  hear("select", ({ master, open }) => {
    choose(master);
    showDetail(master);
    refreshStanding();
    if (!open) return;
    document.body.classList.add("detail-first");
    focusDetail();
  });
  hear("close", () => {
    document.body.classList.remove("detail-first");
    byId("list").focus();
  });
  hear("problem", showProblem);
  hear("player", () => mark(player.active ? player.master : null));
  hear("painted", () => mark(player.active ? player.master : null));
  hear("connection", (fine) => {
    byId("connection").textContent = !fine
      ? "The review server does not answer: you cannot review until it does."
      : review.canWrite ? "Live review" : "Read only: open the link that `cuesmith review` printed.";
    byId("connection").classList.toggle("broken", !fine);
  });
  await connect();
  update();
  showStanding();
  showReviewer();
  setUpTheme();
  if (!current() && matchMedia("(min-width: 900px)").matches) move(1);
  document.documentElement.dataset.ready = "true";
}

start();
