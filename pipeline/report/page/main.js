// The page, put together.
import { byId, say } from "./dom.js";
import { hear, isQuarantined, report, tell } from "./data.js";
import { connect, decide, exported, forgetLocal, review, setName, wordFor } from "./decisions.js";
import { refreshStanding, setUpDetail, showDetail, takeComment } from "./detail.js";
import { setVolume } from "./engine.js";
import { listed, setUpFilters, showFilters } from "./filters.js";
import { setUpKeys } from "./keys.js";
import { current, mark, move, refresh, select, setUpList, show } from "./list.js";
import { choose, decidedOn, play, player } from "./player.js";

const THEME = "cuesmith theme";
let waiting = null;

function update() {
  const found = listed();
  show(found);
  showFilters(found.length);
}

async function act({ master, action }) {
  if (!master || !review.canWrite) return;
  if (isQuarantined(master)) {
    say(`${master.name} is quarantined: nothing can be decided on it here`);
    return;
  }
  if (!review.by) {
    waiting = { master, action };
    byId("who").showModal();
    return;
  }
  const comment = takeComment();
  if (action === "comment" && !comment) {
    byId("comment").focus();
    return;
  }
  try {
    await decide(decidedOn(master), action, comment);
    say(`${master.name} ${wordFor(action)}`);
    if (action === "approve" || action === "reject") move(1);
  } catch (error) {
    byId("problem").textContent = error.message;
  }
}

function showStanding() {
  showFilters(listed().length);
  refresh();
  refreshStanding();
  const count = review.local.length;
  byId("export").hidden = review.served || count === 0;
  byId("export").textContent = `Export ${count} decision${count === 1 ? "" : "s"}`;
}

function exportFile() {
  const text = JSON.stringify(exported(), null, 1);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = `decisions-${report.project}-v${report.version}-${review.by.replace(/\W+/g, "-") || "reviewer"}.json`;
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
  let theme = localStorage.getItem(THEME) ?? "auto";
  button.addEventListener("click", () => {
    theme = { auto: "light", light: "dark", dark: "auto" }[theme] ?? "auto";
    localStorage.setItem(THEME, theme);
    apply(theme);
  });
  apply(theme);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => apply(theme));
}

function setUpDialogs() {
  byId("name").value = review.by;
  byId("who").addEventListener("close", () => {
    setName(byId("name").value);
    const then = waiting;
    waiting = null;
    if (review.by && then) act(then);
  });
  byId("reviewer").addEventListener("click", () => byId("who").showModal());
  byId("show-keys").addEventListener("click", () => byId("help").showModal());
  byId("export").addEventListener("click", exportFile);
  byId("forget").addEventListener("click", forgetLocal);
  byId("volume").addEventListener("input", (event) => setVolume(Number(event.target.value)));
}

function showReviewer() {
  byId("reviewer").textContent = review.by ? `Reviewer: ${review.by}` : "Who are you?";
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
    document.body.classList.toggle("detail-first", Boolean(open));
  });
  hear("close", () => document.body.classList.remove("detail-first"));
  hear("player", () => mark(player.active ? player.master : null));
  hear("painted", () => mark(player.active ? player.master : null));
  hear("connection", (fine) => {
    byId("connection").textContent = !fine
      ? "The review server does not answer; decisions wait until it does."
      : review.canWrite ? "Live review" : "Read only: open the link that cuesmith review serve printed.";
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
