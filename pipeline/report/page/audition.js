// The audition page: every take of one asset at one loudness, switched without a gap, and the line for the chosen one.
import { announce, byId, clock, h, number } from "./dom.js";
import { masters, report } from "./data.js";
import { Playing, levels, setVolume } from "./engine.js";
import { drawWave, storedColumns } from "./pictures.js";
import { loadPicture } from "./sidecars.js";

const cards = [];
const state = { audible: 0, active: false, loop: masters.some((take) => take.loop), position: 0, ticket: 0 };
let playing = null;

async function play(offset = state.position) {
  halt();
  const ticket = state.ticket;
  state.active = true;
  paint();
  try {
    const opened = await Playing.open(masters);
    if (ticket !== state.ticket) {
      opened.stop();
      return;
    }
    playing = opened;
    const from = offset < masters[state.audible].seconds ? offset : 0;
    const started = playing.start({ offset: from, loop: state.loop, audible: state.audible, onended: () => rest(0) });
    follow();
    await started;
  } catch (error) {
    if (ticket !== state.ticket) return;
    rest(0);
    byId("problem").textContent = error.message;
  }
}

function halt() {
  state.ticket += 1;
  playing?.stop();
  playing = null;
}

function rest(position) {
  halt();
  Object.assign(state, { active: false, position });
  paint();
}

function pause() {
  rest(playing ? playing.position : state.position);
}

// The other takes run beside the audible one, so a switch goes on at the same moment of the sound.
function listen(index) {
  if (state.active && index === state.audible) {
    pause();
    return;
  }
  state.audible = index;
  const within = playing && (state.loop || playing.position < masters[index].seconds);
  if (state.active && within) {
    playing.switchTo(index);
    paint();
  } else {
    play(state.active ? 0 : state.position);
  }
}

function follow() {
  if (!playing) return;
  state.position = playing.position;
  paint();
  requestAnimationFrame(follow);
}

function paint() {
  cards.forEach((card, index) => {
    const own = index === state.audible;
    card.element.classList.toggle("audible", own && state.active);
    card.button.textContent = own && state.active ? "Pause" : "Play";
    card.button.setAttribute("aria-pressed", String(own && state.active));
    card.time.textContent = `${clock(own ? state.position : 0, masters[index].seconds)} / ${clock(masters[index].seconds)}`;
    if (card.picture) {
      const { seconds, rate, loop } = masters[index];
      const edges = loop ? loop.map((sample) => sample / rate) : null;
      drawWave(card.canvas, storedColumns(card.picture), { to: seconds, loop: edges, position: own ? state.position : null, quiet: !own });
    }
  });
}

function choose(index) {
  cards.forEach((card, other) => card.element.classList.toggle("chosen", other === index));
  byId("chosen").hidden = false;
  byId("line").textContent = masters[index].line;
  byId("chosen-name").textContent = masters[index].label;
  announce(`${masters[index].label} chosen`);
}

function card(take, index) {
  const canvas = h("canvas", { "aria-hidden": "true" });
  const button = h("button", { type: "button", class: "primary", onclick: () => listen(index) }, "Play");
  const time = h("span", { class: "time" });
  const pick = h("button", { type: "button", class: "pick", onclick: () => choose(index) }, "Choose");
  const lowered = -20 * Math.log10(levels(masters)[index]);
  const facts = [
    `${number(take.lufs)} LUFS${lowered > 0.05 ? `, played ${number(lowered)} dB lower` : ""}`,
    take.license,
    ...take.failures.map((name) => `fails ${name}`),
    ...take.scores.map(([name, value]) => `${name} ${number(value, 3)}`),
  ];
  const element = h(
    "li", { class: "take", "data-take": take.take },
    h("h2", {}, h("kbd", {}, String(index + 1)), ` ${take.label}`),
    canvas,
    h("p", { class: "controls" }, button, time, pick),
    h("ul", { class: "points" }, facts.map((fact) => h("li", {}, fact))),
    take.refused && h("p", { class: "refused" }, `Not for release: ${take.refused}`),
  );
  cards.push({ element, canvas, button, time, picture: null });
  byId("takes").append(element);
  loadPicture(take.pcm).then((picture) => {
    cards[index].picture = picture;
    paint();
  }).catch((error) => { byId("problem").textContent = error.message; });
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input")) return;
  const index = Number(event.key) - 1;
  if (cards[index]) listen(index);
  else if (event.key === " " && !event.target.closest("button")) state.active ? pause() : play();
  else return;
  event.preventDefault();
}

function start() {
  masters.forEach(card);
  byId("loop").setAttribute("aria-pressed", String(state.loop));
  byId("loop").addEventListener("click", () => {
    state.loop = !state.loop;
    byId("loop").setAttribute("aria-pressed", String(state.loop));
    playing?.setLoop(state.loop);
  });
  byId("volume").addEventListener("input", (event) => setVolume(Number(event.target.value)));
  document.addEventListener("keydown", keys);
  addEventListener("resize", paint);
  paint();
  if (!report.masters.length) byId("nothing").hidden = false;
  globalThis.audition = { state, sound: () => playing };
  document.documentElement.dataset.ready = "true";
}

start();
