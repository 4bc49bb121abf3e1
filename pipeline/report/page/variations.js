// The variations of an asset: in turn or at random with a gap, and overlaid on one time axis.
import { h, loadSetting, saveSetting } from "./dom.js";
import { emit, variationsOf } from "./data.js";
import { colour } from "./pictures.js";
import { player } from "./player.js";
import { waveOf } from "./samples.js";

const ORDER = "cuesmith variations order";
const GAP = "cuesmith variations gap";
const LONGEST_GAP_MS = 60000;
const COLOURS = 6;

Object.assign(player, { shuffled: loadSetting(ORDER) === "random", gap: gapFrom(loadSetting(GAP) ?? "") ?? player.gap });

const overlay = { on: false };

function gapFrom(text) {
  const gap = text.trim() === "" ? NaN : Number(text);
  return gap >= 0 && gap <= LONGEST_GAP_MS ? gap : null;
}

export const overlaid = (master) => (overlay.on ? variationsOf(master).filter((variation) => variation !== master) : []);

const colourName = (master) => `--over-${variationsOf(master).indexOf(master) % COLOURS}`;

// What to draw behind the open master: the columns of each other variation that is loaded.
export function behind(master, columnsOf) {
  return overlaid(master)
    .filter(waveOf)
    .map((variation) => ({ columns: columnsOf(waveOf(variation)), colour: colour(colourName(variation)) }))
    .filter(({ columns }) => columns.points || columns.high.length);
}

function legend(master) {
  return overlaid(master).map((variation) => {
    const swatch = h("span", { class: "swatch", "aria-hidden": "true" });
    swatch.style.background = `var(${colourName(variation)})`;
    return h("li", {}, h("button", { type: "button", class: "link", onclick: () => emit("next", variation) }, swatch, ` ${variation.name.split("/").at(-1)}`));
  });
}

// The controls; `changed` is called when the overlay changes.
export function variationControls(master, changed) {
  const names = h("ul", { class: "legend" }, ...legend(master));
  const order = h("select", {
    "aria-label": "Order of variations",
    onchange: () => {
      player.shuffled = order.value === "random";
      saveSetting(ORDER, order.value);
    },
  }, h("option", { value: "turn" }, "in turn"), h("option", { value: "random" }, "at random, never twice in a row"));
  order.value = player.shuffled ? "random" : "turn";
  const gap = h("input", {
    type: "number", class: "gap", min: 0, max: LONGEST_GAP_MS, step: 10, value: player.gap, "aria-label": "Gap between variations in milliseconds", title: "0 to 60,000 ms",
    oninput: () => {
      const value = gapFrom(gap.value);
      gap.setAttribute("aria-invalid", String(value === null));
      if (value === null) return;
      player.gap = value;
      saveSetting(GAP, gap.value);
    },
  });
  const toggle = h("button", {
    type: "button", "data-control": "overlay", "aria-pressed": String(overlay.on), title: "Draw all variations on one time axis",
    onclick: () => {
      overlay.on = !overlay.on;
      toggle.setAttribute("aria-pressed", String(overlay.on));
      names.replaceChildren(...legend(master));
      changed();
    },
  }, "Overlay");
  return h("section", { class: "variations", "aria-label": "Variations" },
    h("h3", {}, "Variations play"), h("div", { class: "buttons" }, order, h("label", { class: "hint" }, gap, " ms gap"), toggle, names));
}
