// The status line: buttons that list what it counts, and panels that stay open or closed between visits.
import { byId, loadSetting, saveSetting } from "./dom.js";
import { emit } from "./data.js";
import { only } from "./filters.js";
import { select, shownMasters } from "./list.js";

const OPEN = "open";

export function setUpSummary() {
  for (const button of document.querySelectorAll("[data-panel]")) setUpPanel(button);
  for (const button of document.querySelectorAll("[data-show]")) {
    button.addEventListener("click", () => list(button.dataset.show, "hear" in button.dataset));
  }
}

function setUpPanel(button) {
  const { panel } = button.dataset;
  const setting = ["cuesmith panel", panel].join(" ");
  const apply = (open) => {
    byId(panel).hidden = !open;
    button.setAttribute("aria-expanded", String(open));
  };
  button.addEventListener("click", () => {
    const open = byId(panel).hidden;
    saveSetting(setting, open ? OPEN : "");
    apply(open);
  });
  apply(loadSetting(setting) === OPEN);
}

function list(badge, hear) {
  only(badge);
  byId("list").focus();
  const [first] = shownMasters();
  if (!first) return;
  select(first, hear);
  if (hear) emit("play", first);
}
