// Live meters: true peak and momentary loudness of what plays, before the page's volume.
import { h, number } from "./dom.js";
import { listenPoint } from "./engine.js";
import { player } from "./player.js";

const BLOCK_S = 0.4;
const HOLD_S = 2;
const ANALYSER = 32768;
const SPOKEN_S = 1;
const TAPS = 24;
const BETA = 5;

// The two filters of K-weighting at any sample rate (ITU-R BS.1770-5 Annex 1): a shelf of 4 dB above 1.7 kHz, then a
// high-pass at 38 Hz. They come from the analogue prototype behind its tables (De Man, AES 145, 2018).
export function kWeighting(rate) {
  const filter = (hertz, slope, numerator) => {
    const warped = Math.tan((Math.PI * hertz) / rate);
    const scale = 1 + warped / slope + warped ** 2;
    return [numerator(warped, warped / slope, scale), [1, (2 * (warped ** 2 - 1)) / scale, (1 - warped / slope + warped ** 2) / scale]];
  };
  const high = 10 ** (3.999843853973347 / 20);
  const middle = high ** 0.4996667741545416;
  return [
    filter(1681.974450955533, 0.7071752369554196, (warped, damped, scale) => [
      (high + middle * damped + warped ** 2) / scale, (2 * (warped ** 2 - high)) / scale, (high - middle * damped + warped ** 2) / scale,
    ]),
    filter(38.13547087602444, 0.5003270373238773, () => [1, -2, 1]),
  ];
}

// The interpolator of the catalog's own true peak: a sinc of 24 taps under a Kaiser window, for samples -11 to 12.
export function interpolators(rate) {
  const times = rate < 48000 ? 8 : rate < 192000 ? 4 : 1;
  const bessel = (x) => {
    let [sum, term] = [1, 1];
    for (let order = 1; order < 30; order += 1) sum += term *= (x / (2 * order)) ** 2;
    return sum;
  };
  return Array.from({ length: times - 1 }, (_, part) => {
    const taps = Array.from({ length: TAPS }, (__, place) => {
      const distance = place - (TAPS / 2 - 1) - (part + 1) / times;
      const window = bessel(BETA * Math.sqrt(Math.max(0, 1 - (distance / (TAPS / 2)) ** 2)));
      return (Math.sin(Math.PI * distance) / (Math.PI * distance)) * window;
    });
    const sum = taps.reduce((total, tap) => total + tap);
    return taps.map((tap) => tap / sum);
  });
}

export function truePeak(samples, filters) {
  let highest = 0;
  for (let place = 0; place < samples.length; place += 1) highest = Math.max(highest, Math.abs(samples[place]));
  for (const taps of filters) {
    for (let place = 0; place + TAPS <= samples.length; place += 1) {
      let value = 0;
      for (let tap = 0; tap < TAPS; tap += 1) value += taps[tap] * samples[place + tap];
      highest = Math.max(highest, Math.abs(value));
    }
  }
  return highest;
}

// Listens at one audio context. An analyser holds up to 32768 samples; at high rates several, each later than the one
// before, hold the 400 ms of momentary loudness.
class Listener {
  constructor(context, tap) {
    this.context = context;
    this.rate = context.sampleRate;
    this.filters = interpolators(this.rate);
    this.heard = context.currentTime;
    this.peaks = this.analysers(tap, 0);
    const weighted = kWeighting(this.rate).reduce((node, [feedforward, feedback]) => {
      const filter = new IIRFilterNode(context, { feedforward, feedback });
      node.connect(filter);
      return filter;
    }, tap);
    const parts = Math.ceil((BLOCK_S * this.rate) / ANALYSER);
    this.blocks = Array.from({ length: parts }, (_, part) => this.analysers(weighted, (part * ANALYSER) / this.rate));
    this.samples = new Float32Array(ANALYSER);
  }

  // One for each channel.
  analysers(source, delayTime) {
    const late = new DelayNode(this.context, { delayTime, maxDelayTime: 1, channelInterpretation: "discrete" });
    const splitter = new ChannelSplitterNode(this.context, { numberOfOutputs: 2 });
    source.connect(late).connect(splitter);
    return [0, 1].map((channel) => {
      const analyser = new AnalyserNode(this.context, { fftSize: ANALYSER });
      splitter.connect(analyser, channel);
      return analyser;
    });
  }

  // Highest level since the last call, in dBTP.
  peak() {
    const now = this.context.currentTime;
    const fresh = Math.min(ANALYSER, Math.round((now - this.heard) * this.rate) + TAPS);
    this.heard = now;
    const highest = this.peaks.map((analyser) => {
      analyser.getFloatTimeDomainData(this.samples);
      return truePeak(this.samples.subarray(ANALYSER - fresh), this.filters);
    });
    return 20 * Math.log10(Math.max(...highest));
  }

  // Loudness of the last 400 ms in LUFS, without a gate.
  momentary() {
    const wanted = Math.round(BLOCK_S * this.rate);
    let sum = 0;
    this.blocks.forEach((analysers, part) => {
      const count = Math.min(ANALYSER, wanted - part * ANALYSER);
      for (const analyser of analysers) {
        analyser.getFloatTimeDomainData(this.samples);
        for (let place = ANALYSER - count; place < ANALYSER; place += 1) sum += this.samples[place] ** 2;
      }
    });
    return -0.691 + 10 * Math.log10(sum / wanted);
  }
}

const SCALES = {
  peak: { label: "True peak", unit: "dBTP", low: -48, high: 3 },
  momentary: { label: "Momentary loudness", unit: "LUFS", low: -48, high: 0 },
};

// One row of the meter. A screen reader asks for its value; nothing is announced.
function row(name) {
  const { label, unit, low, high } = SCALES[name];
  const bar = h("span", { class: "level" });
  const hold = h("span", { class: "hold" });
  const limit = h("span", { class: "limit" });
  const text = h("span", { class: "value", "aria-hidden": "true" }, `\u2013 ${unit}`);
  const element = h(
    "div",
    { class: "meter", role: "meter", "aria-label": `${label}, ${unit}`, "aria-valuemin": low, "aria-valuemax": high, "aria-valuenow": low, "aria-valuetext": "nothing plays" },
    h("span", { class: "what", "aria-hidden": "true" }, name === "peak" ? "Peak" : "LUFS-M"), h("span", { class: "bar", "aria-hidden": "true" }, bar, hold, limit), text,
  );
  return { name, element, bar, hold, limit, text, held: -Infinity, heldAt: 0, highest: -Infinity, spokenAt: -Infinity };
}

const share = ({ low, high }, value) => `${Math.min(100, Math.max(0, ((value - low) / (high - low)) * 100))}%`;

export class Meters {
  constructor({ ceiling, target }) {
    this.rows = ["peak", "momentary"].map(row);
    this.limits = { peak: ceiling, momentary: target };
    this.note = h("p", { class: "hint" });
    this.element = h("div", { class: "meters", role: "group", "aria-label": "Meters" }, ...this.rows.map(({ element }) => element), this.note);
    for (const each of this.rows) {
      const limit = this.limits[each.name];
      each.limit.hidden = limit === null || limit === undefined;
      if (!each.limit.hidden) each.limit.style.left = share(SCALES[each.name], limit);
    }
    this.listener = null;
  }

  // A new start forgets what was held.
  restart() {
    this.listener = null;
    for (const each of this.rows) Object.assign(each, { held: -Infinity, highest: -Infinity, spokenAt: -Infinity });
  }

  explain() {
    const streamed = player.active && !player.loading && !player.exact;
    this.note.textContent = streamed ? "No meters: a page from disk cannot measure a streamed sound; `cuesmith review` can." : "";
  }

  update() {
    const { context, tap } = listenPoint();
    if (!player.active || !player.exact || !context) return;
    if (this.listener?.context !== context) this.listener = listenerOf(context, tap);
    const now = context.currentTime;
    for (const each of this.rows) this.show(each, this.listener[each.name](), now);
  }

  show(each, value, now) {
    const scale = SCALES[each.name];
    each.highest = Math.max(each.highest, value);
    if (value >= each.held || now - each.heldAt > HOLD_S) Object.assign(each, { held: value, heldAt: now });
    each.bar.style.width = share(scale, value);
    each.hold.style.left = share(scale, each.held);
    each.element.classList.toggle("over", each.name === "peak" && typeof this.limits.peak === "number" && each.highest > this.limits.peak + 0.1);
    each.element.dataset.value = value.toFixed(2);
    each.element.dataset.highest = each.highest.toFixed(2);
    each.text.textContent = `${level(each.held)} ${scale.unit}, highest ${level(each.highest)}`;
    if (now - each.spokenAt < SPOKEN_S) return;
    each.spokenAt = now;
    each.element.setAttribute("aria-valuenow", Math.min(scale.high, Math.max(scale.low, value)).toFixed(1));
    each.element.setAttribute("aria-valuetext", `${level(value)} ${scale.unit}`);
  }
}

const level = (value) => (value > -100 ? number(value) : "silent");

// One for each context: its nodes live as long as the context.
const listeners = new WeakMap();

function listenerOf(context, tap) {
  if (!listeners.has(context)) listeners.set(context, new Listener(context, tap));
  const listener = listeners.get(context);
  listener.heard = context.currentTime;
  return listener;
}
