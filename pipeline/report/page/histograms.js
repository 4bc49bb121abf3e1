// Histograms of the listed masters. A click on a bar lists its masters; another click lists all again.
import { byId, h } from "./dom.js";
import { emit, masters } from "./data.js";

const FARTHEST_LU = 8;
const EDGES_S = [0, 0.25, 0.5, 1, 2, 5, 10, 30, 60];

// Each histogram: its title, the bar of a master, and its bars: key in the address, short label, words.
export const HISTOGRAMS = {
  off: {
    title: "Distance from loudness target, LU",
    keyOf: ({ off }) => (off === null ? null : String(Math.max(-FARTHEST_LU, Math.min(FARTHEST_LU, Math.round(off))) || 0)),
    bars: Array.from({ length: 2 * FARTHEST_LU + 1 }, (_, place) => distanceBar(place - FARTHEST_LU)),
  },
  length: {
    title: "Length, s",
    keyOf: ({ seconds }) => String(EDGES_S.findLast((edge) => seconds >= edge)),
    bars: EDGES_S.map(lengthBar),
  },
};

function distanceBar(lu) {
  const size = Math.abs(lu);
  const words = lu === 0 ? "on target" : `${size} LU${size === FARTHEST_LU ? " or more" : ""} ${lu < 0 ? "below" : "above"} target`;
  return { key: String(lu), label: `${lu > 0 ? "+" : lu < 0 ? "\u2212" : ""}${size}`, words, far: size > 1 };
}

function lengthBar(edge, place) {
  const next = EDGES_S[place + 1];
  const words = next === undefined ? `${edge} s or longer` : place === 0 ? `below ${next} s` : `${edge} to ${next} s`;
  return { key: String(edge), label: next === undefined ? `${edge}+` : place === 0 ? `<${next}` : `${edge}–${next}`, words, far: false };
}

for (const master of masters) {
  master.bars = Object.fromEntries(Object.entries(HISTOGRAMS).map(([name, { keyOf }]) => [name, keyOf(master)]));
}

export const barOf = (name, key) => HISTOGRAMS[name].bars.find((bar) => bar.key === key);

const drawn = {};

export function setUpHistograms() {
  for (const [name, { title, bars }] of Object.entries(HISTOGRAMS)) {
    drawn[name] = bars.map((bar) => {
      const column = h("span", { class: bar.far ? "column far" : "column" });
      const button = h("button", { type: "button", "data-bar": bar.key, onclick: () => emit("bar", { name, key: bar.key }) },
        h("span", { class: "track" }, column), h("span", { class: "label" }, bar.label));
      return { bar, button, column };
    });
    byId("histograms").append(
      h("figure", { class: "chart histogram", "data-histogram": name },
        h("figcaption", {}, title), h("ol", {}, ...drawn[name].map(({ button }) => h("li", {}, button)))),
    );
  }
}

// `counted` are the masters of each histogram; `chosen` is the key of its chosen bar, or null.
export function showHistograms(counted, chosen) {
  for (const [name, columns] of Object.entries(drawn)) {
    const counts = new Map();
    for (const { bars } of counted[name]) counts.set(bars[name], (counts.get(bars[name]) ?? 0) + 1);
    const most = Math.max(1, ...columns.map(({ bar }) => counts.get(bar.key) ?? 0));
    for (const { bar, button, column } of columns) {
      const count = counts.get(bar.key) ?? 0;
      column.style.height = `${count ? Math.max(4, (100 * count) / most) : 0}%`;
      button.title = `${bar.words}: ${count} master${count === 1 ? "" : "s"}`;
      button.setAttribute("aria-label", `${bar.label}, ${button.title}`);
      button.setAttribute("aria-pressed", String(bar.key === chosen[name]));
      button.disabled = count === 0 && bar.key !== chosen[name];
    }
  }
}
