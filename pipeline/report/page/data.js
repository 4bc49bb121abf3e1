// What the report knows: read once from the page's data block. Rows are numbered as the version lists them.
import { byId } from "./dom.js";

export const report = JSON.parse(byId("report-data").textContent);
export const masters = report.masters;
export const news = new EventTarget();

masters.forEach((master, index) => {
  master.index = index;
  master.name = `${master.asset}_${String(master.variation).padStart(2, "0")}`;
  master.words = [master.name, master.prompt, ...master.tags].join("\n").toLowerCase();
  master.off = master.lufs === null || master.method === "peak" ? null : master.lufs - master.target;
  master.made = report.models[master.model];
});

// What failed its gates is heard alone: it is no alternate of what the game plays.
export const isQuarantined = (master) => Boolean(master.quarantined);

const siblings = new Map();
for (const master of masters.filter((one) => !isQuarantined(one))) {
  if (!siblings.has(master.asset)) siblings.set(master.asset, []);
  siblings.get(master.asset).push(master);
}

export const variationsOf = (master) => (isQuarantined(master) ? [master] : siblings.get(master.asset));

export function tell(what, detail) {
  news.dispatchEvent(new CustomEvent(what, { detail }));
}

export function hear(what, then) {
  news.addEventListener(what, (event) => then(event.detail));
}
