// The player of the open master: its buttons and pictures, and what joins them to zoom, meters, seam and variations.
import { byId, clock, h, number } from "./dom.js";
import { on, variationsOf } from "./data.js";
import { canDecode } from "./engine.js";
import { Meters } from "./meters.js";
import { goTo, marksOf, placeMarks } from "./moments.js";
import { drawRuler, drawSpectrum, drawWave, spectrumOf } from "./pictures.js";
import { compareWith, isCandidate, player, seek, soundState, switchSide, toggle, toggleLoop, toggleRobin } from "./player.js";
import { decodedOf, forgetWaves, loadDecoded, loadStored, pictureOf, waveOf } from "./samples.js";
import { SeamGlass } from "./seam.js";
import { sharpSpectrum } from "./spectrum.js";
import { behind, overlaid, variationControls } from "./variations.js";
import { SCALES, fitView, follow, isDecibels, isWhole, scaleSelect, setUpGestures, showWhole, view, zoomAtHead } from "./zoom.js";

const SETTLED_MS = 150;
const panel = byId("detail");
let open = null;
let parts = {};
let settled = 0;

const sideName = (other) =>
  isCandidate(other) ? "the candidate" : `version ${other.version}${other.approved ? ", approved" : ""}`;

const shown = () => (player.side && player.other ? player.other : open);

export function transport(master) {
  open = master;
  parts = { problem: "", marks: [] };
  forgetWaves();
  fitView(axisSeconds(), true);
  loadOverlay();
  const button = (key, label, title, then) =>
    h("button", { type: "button", title: `${title} (${key})`, "aria-keyshortcuts": key, "data-control": key, onclick: then }, label);
  parts.play = button("Space", "Play", "Play or pause", toggle);
  parts.play.classList.add("primary");
  parts.loop = button("L", "Loop", "Repeat the loop without a gap", toggleLoop);
  parts.robin = button("V", "Variations", "Play all variations", toggleRobin);
  parts.side = button("B", "A/B", "Switch between this and the other version, at equal loudness", switchSide);
  parts.other = otherSelect(master);
  parts.side.hidden = parts.other.hidden = master.others.length === 0;
  // Not an output element: a screen reader would read out every frame.
  parts.clock = h("span", { class: "clock", role: "timer", "aria-label": "Position" });
  parts.note = h("p", { class: "note", role: "status" });
  parts.meters = new Meters(master);
  parts.seam = new SeamGlass();
  parts.robin.hidden = variationsOf(master).length < 2;
  settle();
  return h(
    "section",
    { class: "transport", "aria-label": "Player" },
    screen(master),
    h("div", { class: "buttons main" }, parts.play, parts.loop, parts.robin, parts.side, parts.other, parts.clock),
    parts.note,
    zoomBar(button),
    parts.meters.element,
  );
}

// What stands below the decision: variations and the seam.
export const tools = (master) => [parts.robin.hidden ? "" : variationControls(master, showOverlay), parts.seam.element];

export function closeTransport() {
  open = null;
}

function screen(master) {
  const picture = (name) => h("canvas", { class: name, "aria-hidden": "true" });
  Object.assign(parts, { wave: picture("wave"), spectrum: picture("spectrum"), ruler: picture("ruler") });
  parts.seek = h("input", {
    type: "range", class: "seek", min: 0, max: master.seconds, step: "any", value: 0, "aria-label": "Position in seconds",
    oninput: (event) => goTo(Number(event.target.value)),
    onkeydown: stepSeek,
  });
  parts.scale = h("div", { class: "scale", "aria-hidden": "true" }, h("span", {}, "20 kHz"), h("span", {}, "900"), h("span", {}, "40 Hz"));
  parts.markLayer = h("div", { class: "marks" });
  const box = h("div", { class: "screen" }, parts.wave, h("div", { class: "spectrum-box" }, parts.spectrum, parts.scale), parts.ruler, parts.seek, parts.markLayer);
  setUpGestures(box, seek);
  return box;
}

// In a zoom, an arrow key moves by a small part of what is shown.
function stepSeek(event) {
  const direction = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!direction) return;
  event.preventDefault();
  seekBy(direction / 100);
}

// Seek by a share of what is shown.
export function seekBy(share) {
  if (open) goTo(player.position + share * (view.to - view.from));
}

export const zoomKey = (closer) => open && zoomAtHead(player.position, closer);

function zoomBar(button) {
  parts.level = scaleSelect();
  parts.range = h("span", { class: "range" });
  return h("div", { class: "buttons zoom", role: "group", "aria-label": "Zoom" },
    button("-", "\u2212", "Zoom out", () => zoomKey(false)), button("+", "+", "Zoom in", () => zoomKey(true)),
    button("0", "All", "Show the whole sound", showWhole), parts.level, parts.range);
}

function otherSelect(master) {
  const options = master.others.map((other, place) => h("option", { value: place }, sideName(other)));
  const select = h("select", {
    "aria-label": "Compare with",
    onchange: (event) => compareWith(master.others[Number(event.target.value)]),
  }, ...options);
  select.value = String(master.others.indexOf(player.other));
  return select;
}

// Load the stored picture of the shown sound; its samples only when they are needed, after the person has settled.
async function loadShown() {
  const master = open;
  const sound = shown();
  parts.pictured = sound;
  const outdated = () => open !== master || parts.pictured !== sound;
  try {
    await loadStored(sound);
    if (outdated()) return;
    const { top } = pictureOf(sound);
    parts.scale.firstChild.textContent = `${Math.round(top / 1000)} kHz`;
    parts.scale.children[1].textContent = `${Math.round(Math.sqrt(top * 40) / 100) * 100} Hz`;
    const spectrum = await spectrumOf(pictureOf(sound));
    if (outdated()) return;
    Object.assign(parts, { sound, spectrumPicture: { from: 0, to: sound.seconds, picture: spectrum }, problem: "" });
  } catch (error) {
    if (outdated()) return;
    for (const canvas of [parts.wave, parts.spectrum]) canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    Object.assign(parts, { sound: null, problem: error.message });
  }
  refreshTransport();
  settle();
}

function settle() {
  clearTimeout(settled);
  settled = setTimeout(sharpen, SETTLED_MS);
}

const needsSamples = () => Boolean(shown().loop) || !isWhole() || isDecibels();

const isSharp = (sound) => parts.sharp?.sound === sound && parts.sharp.from === view.from && parts.sharp.to === view.to;

async function sharpen() {
  const master = open;
  const sound = shown();
  if (!master || !canDecode(sound) || !needsSamples()) return;
  try {
    await loadDecoded(sound);
    if (!isWhole()) await Promise.all(overlaid(master).filter(canDecode).map(loadDecoded));
  } catch {
    // Without samples, the stored picture stays. The player says what is wrong when it plays.
    return;
  }
  if (open !== master || shown() !== sound) return;
  const picture = pictureOf(sound);
  if (!isWhole() && picture && !isSharp(sound)) {
    parts.sharp = { sound, ...sharpSpectrum(decodedOf(sound), { from: view.from, to: view.to, top: picture.top }) };
  }
  drawAll();
}

// The time axis ends with the longest of the sounds that are drawn.
const axisSeconds = () => Math.max(shown().seconds, ...overlaid(open).map((variation) => variation.seconds));

// A variation whose picture is missing is not drawn; it says why when it is open itself.
function loadOverlay() {
  for (const variation of overlaid(open)) loadStored(variation).catch(() => null);
}

function showOverlay() {
  loadOverlay();
  fitView(axisSeconds());
  viewChanged();
}

function drawAll() {
  if (!open) return;
  drawRuler(parts.ruler, view);
  placeMarks(parts.marks);
  showRange(shown());
  parts.seam.draw();
  drawFrame();
}

// What changes while a sound plays.
function drawFrame() {
  const sound = shown();
  const wave = waveOf(sound);
  if (!wave || parts.problem) return;
  const position = player.active || player.position ? player.position : null;
  const { from, to } = view;
  const columnsOf = (other) => other.columns(from, to, parts.wave.width);
  const scale = SCALES[view.scale];
  drawWave(parts.wave, columnsOf(wave), {
    from, to, position, reach: scale.reach, levels: scale.levels,
    loop: sound.loop && sound.loop.map((sample) => sample / sound.rate), behind: behind(open, columnsOf),
  });
  const image = isSharp(sound) ? parts.sharp : parts.sound === sound ? parts.spectrumPicture : null;
  if (image) drawSpectrum(parts.spectrum, image, { from, to, position });
}

function showRange(sound) {
  const sharp = decodedOf(sound);
  const digits = view.to - view.from < 0.1 ? 4 : 3;
  const source = sharp ? "from the samples" : canDecode(sound) || isWhole() ? "from the stored picture"
    : "from the stored picture: a page from disk cannot read these samples; `cuesmith review` can";
  const times = (view.seconds / (view.to - view.from)).toFixed(0);
  const text = isWhole() ? "Whole sound" : `${number(view.from, digits)} \u2013 ${number(view.to, digits)} s (${times}\u00d7)`;
  parts.range.textContent = `${text}, ${source}`;
  panel.dataset.view = `${view.from.toFixed(4)} ${view.to.toFixed(4)}`;
  panel.dataset.drawn = sharp ? "samples" : "picture";
}

export function refreshTransport() {
  if (!open) return;
  parts.play.textContent = player.active ? "Pause" : "Play";
  parts.loop.setAttribute("aria-pressed", String(player.loop));
  parts.robin.setAttribute("aria-pressed", String(player.robin));
  parts.side.textContent = player.side ? `B: ${sideName(player.other)}` : "A: this one";
  parts.side.setAttribute("aria-pressed", String(player.side === 1));
  parts.level.value = view.scale;
  panel.dataset.side = player.side ? "B" : "A";
  parts.note.textContent = note();
  parts.seek.max = player.seconds;
  if (player.loading) parts.meters.restart();
  parts.meters.explain();
  if (parts.pictured !== shown()) {
    fitView(axisSeconds());
    loadShown();
    showSeam();
    settle();
  }
  refreshMarks();
  refreshPosition();
  drawAll();
}

function note() {
  if (player.problem) return player.problem;
  if (player.loading) return "Loading…";
  if (player.active && player.loop && !player.exact) {
    return "Streamed from disk: the repeat is not exact to the sample. On this page only loops repeat exactly; `cuesmith review` repeats every sound exactly.";
  }
  return parts.problem;
}

function refreshPosition() {
  if (!open) return;
  follow(parts.heard ?? 0, player.position);
  parts.heard = player.position;
  parts.clock.textContent = `${clock(player.position, player.seconds)} / ${clock(player.seconds)}`;
  panel.dataset.playing = player.active ? soundState() : "";
  panel.dataset.position = player.position.toFixed(3);
  parts.seek.value = player.position;
  parts.seek.setAttribute("aria-valuetext", `${number(player.position, 3)} s`);
  parts.meters.update();
  drawFrame();
}

export function refreshMarks() {
  if (!open) return;
  const subject = !player.side ? "master" : isCandidate(player.other) ? "candidate" : "";
  const marks = marksOf(open, subject);
  const texts = (list) => list.map(({ mark }) => mark.title).join("\n");
  // The same marks stay, and so does the focus on one of them.
  if (texts(marks) === texts(parts.marks)) return;
  parts.marks = marks;
  parts.markLayer.replaceChildren(...marks.map(({ mark }) => mark));
  placeMarks(marks);
}

function showSeam() {
  const wave = shown().loop && decodedOf(shown());
  if (wave) parts.seam.show(shown(), wave);
  else parts.seam.hide();
}

function viewChanged() {
  if (!open) return;
  if (parts.level.value !== view.scale) parts.level.value = view.scale;
  drawAll();
  settle();
}

export function setUpTransport() {
  on("player", refreshTransport);
  on("position", refreshPosition);
  on("view", viewChanged);
  on("wave", () => {
    if (!open) return;
    showSeam();
    drawAll();
  });
  new ResizeObserver(drawAll).observe(panel);
}
