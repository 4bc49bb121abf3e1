// The seam of a loop under a glass: the end of the loop joined to its start, the step between the two, and a button.
import { h, number } from "./dom.js";
import { drawWave } from "./pictures.js";
import { playSeam } from "./player.js";

const BESIDE_S = 0.02;
const WIDTHS_MS = [2, 5, 20, 100];
// A larger step than any beside the seam can be a click.
const CLICK_DB = 0;

const decibels = (level) => 20 * Math.log10(level);

// What plays around the wrap: `reach` samples up to the last of the loop, then as many from its first.
function joined(wave, [start, end], reach) {
  const around = Math.min(reach, end - start);
  return wave.channels.map((channel) => {
    const piece = new Float32Array(2 * around);
    piece.set(channel.subarray(end - around, end));
    piece.set(channel.subarray(start, start + around), around);
    return piece;
  });
}

// The step from the last sample of the loop to its first, and the largest step within 20 ms beside it; dBFS, over all
// channels.
function seamStep(wave, loop) {
  let [step, beside] = [0, 0];
  for (const piece of joined(wave, loop, Math.round(BESIDE_S * wave.rate))) {
    const wrap = piece.length / 2;
    for (let sample = 1; sample < piece.length; sample += 1) {
      const size = Math.abs(piece[sample] - piece[sample - 1]);
      if (sample === wrap) step = Math.max(step, size);
      else beside = Math.max(beside, size);
    }
  }
  return { step: decibels(step), beside: decibels(beside) };
}

const level = (db) => (db > -200 ? `${number(db)} dBFS` : "none");

export class SeamGlass {
  constructor() {
    this.text = h("span", { class: "step" });
    this.canvas = h("canvas", { class: "seam-wave", "aria-hidden": "true" });
    this.width = h("select", { "aria-label": "Width of the glass", onchange: () => this.draw() },
      ...WIDTHS_MS.map((ms) => h("option", { value: ms, selected: ms === 5 }, `${ms} ms each side`)));
    this.element = h(
      "section", { class: "seam", "aria-label": "Seam" },
      h("h3", {}, "Seam ", this.text),
      this.canvas,
      h("p", { class: "joins", "aria-hidden": "true" }, h("span", {}, "end of the loop"), h("span", {}, "its start")),
      h("div", { class: "buttons" },
        h("button", { type: "button", "data-control": "seam", title: "Play up to 1 s before the seam and as long after it", onclick: () => this.play() }, "Play around the seam"),
        this.width),
    );
    this.hide();
  }

  hide() {
    this.wave = null;
    this.element.hidden = true;
  }

  show(sound, wave) {
    Object.assign(this, { sound, wave });
    const { step, beside } = seamStep(wave, sound.loop);
    const over = step - beside > CLICK_DB;
    this.element.hidden = false;
    this.element.dataset.step = step.toFixed(2);
    this.element.dataset.beside = beside.toFixed(2);
    this.text.classList.toggle("warn", over);
    this.text.textContent = `step ${level(step)}; largest within 20 ms: ${level(beside)}${over ? ". Listen for a click." : ""}`;
  }

  draw() {
    if (!this.wave) return;
    const reach = Math.round((Number(this.width.value) / 1000) * this.wave.rate);
    const channels = joined(this.wave, this.sound.loop, reach);
    const length = channels[0].length;
    const highest = Math.max(1e-6, ...channels.map((channel) => channel.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0)));
    const middle = length / 2 / this.wave.rate;
    drawWave(this.canvas, { points: { first: 0, rate: this.wave.rate, channels } }, {
      to: length / this.wave.rate, position: middle, reach: (sample) => (0.95 * sample) / highest, levels: [],
    });
  }

  play() {
    const [start, end] = this.sound.loop.map((sample) => sample / this.sound.rate);
    playSeam(end, end - start);
  }
}
