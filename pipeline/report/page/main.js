// Connects the parts of the page.
import { byId, saveSetting, loadSetting } from "./dom.js";
import { setUpBatch } from "./batch.js";
import { on, report, emit } from "./data.js";
import { connect, exported, removeExported, review, toExport } from "./decisions.js";
import { decideOne, setUpDeciding } from "./deciding.js";
import { focusDetail, discardComment, refreshReview, setUpDetail, showDetail, draftOf } from "./detail.js";
import { setVolume } from "./engine.js";
import { setUpAddress } from "./address.js";
import { listed, setUpFilters, showFilters } from "./filters.js";
import { setUpKeys } from "./keys.js";
import { mark, move, refresh, select, setUpList, show } from "./list.js";
import { setUpPlaylists } from "./playlists.js";
import { setUpSummary } from "./summary.js";
import { choose, decisionTarget, play, player } from "./player.js";
import { setUpPublished } from "./published.js";
import { setUpUndo } from "./undo.js";

const THEME = "cuesmith theme";
let lastExport = null;

function update() {
  const matching = listed();
  show(matching);
  showFilters(matching.length);
}

async function act({ master, action }) {
  if (!master) return;
  const comment = draftOf(master);
  if (action === "comment" && !comment) {
    byId("comment").focus();
    return;
  }
  // Before the server answers, so that a fast reviewer does not decide twice on the same master.
  const sent = () => (action === "approve" || action === "reject") && move(1);
  if (await decideOne({ master, target: decisionTarget(master), action, comment }, sent)) discardComment(master, comment);
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
  const { by, decisions, isAll } = toExport();
  const count = decisions.length;
  // A review server that answers saves them itself.
  byId("export").hidden = count === 0 || (review.served && review.connected && review.canWrite);
  if (!count) return;
  const owner = isAll ? "" : ` of ${by}`;
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
  setUpBatch();
  setUpKeys();
  setUpDialogs();
  setUpDeciding();
  setUpUndo();
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
  on("connection", () => {
    const text = !review.connected
      ? "No answer from the review server: your decisions are saved when it is back."
      : review.canWrite ? "Live review" : "Read only: open the link that `cuesmith review` printed.";
    if (byId("connection").textContent !== text) byId("connection").textContent = text;
    byId("connection").classList.toggle("broken", !review.connected);
    showExport();
  });
  await connect();
  setUpPublished();
  setUpAddress();
  showReviews();
  showReviewer();
  setUpTheme();
  document.documentElement.dataset.ready = "true";
}

start();
