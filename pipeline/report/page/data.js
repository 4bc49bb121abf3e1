// The data of the report, read once from the page. Rows are numbered in the order of the version.
import { byId } from "./dom.js";

export const report = JSON.parse(byId("report-data").textContent);
export const masters = report.masters;
const bus = new EventTarget();
// What the address held after the # when the page opened; the review token is taken out of it later.
export const arrivedHash = location.hash;

masters.forEach((master, index) => {
  master.index = index;
  master.name = `${master.asset}_${String(master.variation).padStart(2, "0")}`;
  master.words = [master.name, master.prompt, ...master.tags].join("\n").toLowerCase();
  master.off = master.lufs === null || master.method === "peak" ? null : master.lufs - master.target;
  master.modelFacts = report.models[master.model];
});

// A quarantined master plays alone: it is not a variation that the game plays.
export const isQuarantined = (master) => Boolean(master.quarantined);

const siblings = new Map();
for (const master of masters.filter((master) => !isQuarantined(master))) {
  if (!siblings.has(master.asset)) siblings.set(master.asset, []);
  siblings.get(master.asset).push(master);
}

export const variationsOf = (master) => (isQuarantined(master) ? [master] : siblings.get(master.asset));

export function emit(name, detail) {
  bus.dispatchEvent(new CustomEvent(name, { detail }));
}

export function on(name, listener) {
  bus.addEventListener(name, (event) => listener(event.detail));
}
