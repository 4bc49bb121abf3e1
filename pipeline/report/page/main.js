// Connects the parts of the page.
import { byId, saveSetting, loadSetting, announce } from "./dom.js";
import { on, isQuarantined, report, emit } from "./data.js";
import { connect, decide, exported, removeExported, review, setName, toExport, verbFor } from "./decisions.js";
import { focusDetail, discardComment, refreshReview, setUpDetail, showDetail, draftOf } from "./detail.js";
import { setVolume } from "./engine.js";
import { setUpAddress } from "./address.js";
import { listed, setUpFilters, showFilters } from "./filters.js";
import { setUpKeys } from "./keys.js";
import { mark, move, refresh, select, setUpList, show } from "./list.js";
import { setUpPlaylists } from "./playlists.js";
import { setUpSummary } from "./summary.js";
import { choose, decisionTarget, play, player } from "./player.js";

const THEME = "cuesmith theme";
let waiting = null;
let lastExport = null;
const unsaved = new Map();

function update() {
  const matching = listed();
  show(matching);
  showFilters(matching.length);
}

async function act({ master, action }) {
  if (!master) return;
  if (!review.canWrite) {
    announce("This page is read-only: you cannot review here");
    return;
  }
  if (isQuarantined(master)) {
    announce(`${master.name} is quarantined: you cannot review it`);
    return;
  }
  if (!review.by) {
    waiting = { master, action };
    askName();
    return;
  }
  const comment = draftOf(master);
  if (action === "comment" && !comment) {
    byId("comment").focus();
    return;
  }
  const target = decisionTarget(master);
  // Before the server answers, so that a fast reviewer does not decide twice on the same master.
  if (action === "approve" || action === "reject") move(1);
  try {
    await decide(target, action, comment);
    discardComment(master, comment);
    announce(`${master.name} ${verbFor(action)}`);
    if (unsaved.delete(master)) showProblem(unsavedText());
  } catch (error) {
    unsaved.set(master, error.message);
    showProblem(unsavedText());
  }
}

// Each stays listed until a decision on the same master is saved.
function unsavedText() {
  const names = [...unsaved.keys()].map((master) => master.name);
  if (!names.length) return "";
  const which = names.length > 4 ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more` : names.join(", ");
  const decisions = names.length === 1 ? `The decision on ${which} was` : `The decisions on ${which} were`;
  return `${decisions} not saved: ${[...unsaved.values()].at(-1)}.`;
}

function askName() {
  byId("name").value = review.by;
  byId("who").returnValue = "";
  byId("who").showModal();
}

function showProblem(text) {
  byId("problem").textContent = text;
}

function showReviews() {
  showFilters(listed().length);
  refresh();
  refreshReview();
  showExport();
}

function showExport() {
  const { by, decisions } = toExport();
  const count = decisions.length;
  byId("export").hidden = review.served || count === 0;
  if (!count) return;
  const owner = count === review.local.length && by === review.by ? "" : ` of ${by}`;
  byId("export").textContent = `Export ${count} decision${count === 1 ? "" : "s"}${owner}`;
}

function exportFile() {
  lastExport = toExport();
  const text = JSON.stringify(exported(lastExport), null, 1);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = `decisions-${report.project}-v${report.version}-${lastExport.by.replace(/[^\p{L}\p{N}]+/gu, "-")}.json`;
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
    emit("player");
  };
  let theme = loadSetting(THEME) ?? "auto";
  button.addEventListener("click", () => {
    theme = { auto: "light", light: "dark", dark: "auto" }[theme] ?? "auto";
    saveSetting(THEME, theme);
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
  byId("reviewer").addEventListener("click", askName);
  byId("show-keys").addEventListener("click", () => byId("help").showModal());
  byId("export").addEventListener("click", exportFile);
  byId("forget").addEventListener("click", () => removeExported(lastExport));
  byId("previous").addEventListener("click", () => move(-1));
  byId("next").addEventListener("click", () => move(1));
  byId("volume").addEventListener("input", (event) => setVolume(Number(event.target.value)));
}

function showReviewer() {
  byId("reviewer").textContent = review.by ? `Reviewer: ${review.by}` : "Set your name";
  showExport();
}

async function start() {
  setUpFilters();
  setUpSummary();
  setUpPlaylists();
  setUpList();
  setUpDetail();
  setUpKeys();
  setUpDialogs();
  on("filter", update);
  on("review", showReviews);
  on("name", showReviewer);
  on("decide", act);
  on("play", (master) => {
    choose(master);
    play(0);
  });
  on("next", (master) => {
    choose(master);
    select(master);
  });
  on("select", ({ master, open }) => {
    choose(master);
    showDetail(master);
    refreshReview();
    if (!open) return;
    document.body.classList.add("detail-first");
    focusDetail();
  });
  on("close", () => {
    document.body.classList.remove("detail-first");
    byId("list").focus();
  });
  on("problem", showProblem);
  on("player", () => mark(player.active ? player.master : null));
  on("painted", () => mark(player.active ? player.master : null));
  on("connection", (fine) => {
    byId("connection").textContent = !fine
      ? "No answer from the review server: you cannot review now."
      : review.canWrite ? "Live review" : "Read only: open the link that `cuesmith review` printed.";
    byId("connection").classList.toggle("broken", !fine);
  });
  await connect();
  setUpAddress();
  showReviews();
  showReviewer();
  setUpTheme();
  document.documentElement.dataset.ready = "true";
}

start();
