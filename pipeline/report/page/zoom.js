// Which stretch of the open sound is shown, at which scale of level; wheel, drag, pinch and keys that change it.
import { h, loadSetting, number, saveSetting } from "./dom.js";
import { emit } from "./data.js";

const SCALE = "cuesmith level scale";
const LEAST_S = 0.0005;
const STEP = 2;
const DRAG_PX = 4;

const decibels = (level) => 20 * Math.log10(level);
const linear = (gain) => ({
  reach: (sample) => sample * 10 ** (gain / 20),
  levels: [0, -6].map((db) => line(db - gain)),
});
const logarithmic = (floor) => ({
  reach: (sample) => (sample > 0 ? Math.max(0, 1 - decibels(sample) / floor) : 0),
  levels: [0, 1, 2].map((third) => line((floor * third) / 3)),
});
const line = (db) => ({ level: 10 ** (db / 20), text: number(db, 0) });

export const SCALES = {
  linear: { label: "Linear", ...linear(0) },
  linear12: { label: "Linear, +12 dB", ...linear(12) },
  linear24: { label: "Linear, +24 dB", ...linear(24) },
  db48: { label: "dB, to \u221248", ...logarithmic(-48) },
  db72: { label: "dB, to \u221272", ...logarithmic(-72) },
  db96: { label: "dB, to \u221296", ...logarithmic(-96) },
};

export const view = { from: 0, to: 1, seconds: 1, scale: SCALES[loadSetting(SCALE)] ? loadSetting(SCALE) : "linear" };

export const isWhole = () => view.to - view.from > view.seconds * 0.9999;
export const isDecibels = () => view.scale.startsWith("db");

// Show all of a sound, or of several on one time axis; only another length changes what is shown.
export function fitView(seconds, again = false) {
  if (seconds === view.seconds && !again) return;
  Object.assign(view, { from: 0, to: seconds, seconds });
}

function show(from, span) {
  const length = Math.min(view.seconds, Math.max(LEAST_S, span));
  view.from = Math.min(Math.max(0, from), view.seconds - length);
  view.to = view.from + length;
  emit("view");
}

// `factor` above 1 shows less; the moment `at` stays where it is.
export function zoom(factor, at) {
  const span = (view.to - view.from) / factor;
  const length = Math.min(view.seconds, Math.max(LEAST_S, span));
  show(at - ((at - view.from) / (view.to - view.from)) * length, length);
}

const pan = (seconds) => show(view.from + seconds, view.to - view.from);
export const showWhole = () => show(0, view.seconds);

// Around the playhead if it is in view, else around the middle.
export function zoomAtHead(position, closer) {
  const inside = position >= view.from && position <= view.to;
  zoom(closer ? STEP : 1 / STEP, inside ? position : (view.from + view.to) / 2);
}

// While it plays, the view turns the page; not if the person looks elsewhere.
export function follow(before, position) {
  const inside = (moment) => moment >= view.from && moment <= view.to;
  if (isWhole() || inside(position) || !inside(before)) return;
  show(position, view.to - view.from);
}

export const reveal = (position) => {
  if (position < view.from || position > view.to) show(position - (view.to - view.from) / 2, view.to - view.from);
};

function setScale(name) {
  view.scale = name;
  saveSetting(SCALE, name);
  emit("view");
}

export const toggleDecibels = () => setScale(isDecibels() ? "linear" : "db72");

export function scaleSelect() {
  const options = Object.entries(SCALES).map(([name, { label }]) => h("option", { value: name }, label));
  return h("select", { "aria-label": "Scale of level", onchange: (event) => setScale(event.target.value) }, ...options);
}

// Wheel, drag and touch on the pictures. A click or a drag in the whole sound seeks; in a zoom, a drag pans.
export function setUpGestures(screen, seek) {
  const fingers = new Map();
  let start = null;
  const share = (x) => (x - screen.getBoundingClientRect().left) / screen.clientWidth;
  const moment = (x) => view.from + share(x) * (view.to - view.from);
  const begin = () => {
    const places = [...fingers.values()];
    start = { places, from: view.from, span: view.to - view.from, moved: start?.moved && fingers.size === 1 };
  };

  screen.addEventListener("wheel", (event) => {
    const pixels = (delta) => (event.deltaMode === 1 ? delta * 16 : delta);
    const sideways = event.shiftKey ? event.deltaX || event.deltaY : Math.abs(event.deltaX) > Math.abs(event.deltaY) ? event.deltaX : 0;
    // The whole sound leaves scrolling to the panel: down, and up again.
    const scrolls = sideways || event.deltaY > 0 || screen.closest("aside").scrollTop > 0;
    if (isWhole() && !event.ctrlKey && scrolls) return;
    event.preventDefault();
    if (sideways) pan((pixels(sideways) / screen.clientWidth) * (view.to - view.from));
    else zoom(Math.exp(-pixels(event.deltaY) * (event.ctrlKey ? 0.01 : 0.003)), moment(event.clientX));
  }, { passive: false });

  screen.addEventListener("pointerdown", (event) => {
    if (event.button || event.target.closest("button")) return;
    screen.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, event.clientX);
    begin();
  });

  screen.addEventListener("pointermove", (event) => {
    if (!fingers.has(event.pointerId)) return;
    fingers.set(event.pointerId, event.clientX);
    const [one, other] = fingers.values();
    if (fingers.size === 2) {
      start.moved = true;
      const closer = Math.abs(one - other) / Math.max(1, Math.abs(start.places[0] - start.places[1]));
      const held = start.from + share((start.places[0] + start.places[1]) / 2) * start.span;
      const span = start.span / Math.max(0.01, closer);
      show(held - share((one + other) / 2) * span, span);
      return;
    }
    if (fingers.size > 2 || (!start.moved && Math.abs(one - start.places[0]) < DRAG_PX)) return;
    start.moved = true;
    if (isWhole()) seek(moment(one));
    else show(start.from - ((one - start.places[0]) / screen.clientWidth) * start.span, start.span);
  });

  for (const name of ["pointerup", "pointercancel"]) {
    screen.addEventListener(name, (event) => {
      if (!fingers.delete(event.pointerId)) return;
      if (name === "pointerup" && !fingers.size && !start.moved) seek(moment(event.clientX));
      if (fingers.size) begin();
      else start = null;
    });
  }
}
