// The list: only the rows in view are in the document.
import { byId, clock, h, number, signed } from "./dom.js";
import { emit } from "./data.js";
import { reviewOf } from "./decisions.js";
import { BADGES, rowBadgesOf } from "./filters.js";
import { drawThumb } from "./pictures.js";
import { markByClick, marks } from "./selection.js";

const SPARE = 6;
const view = byId("list");
const space = byId("rows");
const rows = new Map();
let shown = [];
let selected = null;
let height = 0;

export const current = () => selected;

export const shownMasters = () => shown;

export function setUpList() {
  height = parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--row"));
  let scheduled = false;
  const later = () => {
    if (scheduled) return;
    scheduled = true;
    requestAnimationFrame(() => {
      scheduled = false;
      paint();
    });
  };
  view.addEventListener("scroll", later, { passive: true });
  new ResizeObserver(later).observe(view);
  view.addEventListener("click", (event) => {
    const row = event.target.closest("[data-index]");
    if (!row) return;
    const master = shown.find((master) => master.index === Number(row.dataset.index));
    const plain = !(event.shiftKey || event.ctrlKey || event.metaKey);
    if (markByClick(event, master, shown, selected)) return;
    select(master, plain);
    if (plain && event.target.closest(".thumb")) emit("play", master);
  });
}

export function show(matching) {
  shown = matching;
  space.style.height = `${shown.length * height}px`;
  byId("nothing").hidden = shown.length > 0;
  clearRows();
  if (selected && !shown.includes(selected)) selected = null;
  paint();
  emit("listed");
}

export function refresh() {
  clearRows();
  paint();
}

export function select(master, open = false) {
  selected = master ?? null;
  if (selected) reveal(shown.indexOf(selected));
  refresh();
  emit("select", { master: selected, open });
}

export function move(steps) {
  if (!shown.length) return;
  const place = shown.indexOf(selected);
  const next = place < 0 ? 0 : Math.min(shown.length - 1, Math.max(0, place + steps));
  select(shown[next]);
}

export function mark(playing) {
  for (const [index, row] of rows) row.classList.toggle("playing", index === playing?.index);
}

export const pageRows = () => Math.max(1, Math.floor(view.clientHeight / height) - 1);

function clearRows() {
  for (const row of rows.values()) row.remove();
  rows.clear();
}

function reveal(place) {
  if (place < 0) return;
  const top = place * height;
  if (top < view.scrollTop) view.scrollTop = top;
  else if (top + height > view.scrollTop + view.clientHeight) view.scrollTop = top + height - view.clientHeight;
}

function paint() {
  const first = Math.max(0, Math.floor(view.scrollTop / height) - SPARE);
  const last = Math.min(shown.length, Math.ceil((view.scrollTop + view.clientHeight) / height) + SPARE);
  const visible = new Set(shown.slice(first, last).map((master) => master.index));
  for (const [index, row] of rows) {
    if (!visible.has(index)) {
      row.remove();
      rows.delete(index);
    }
  }
  const fresh = [];
  for (let place = first; place < last; place += 1) {
    const master = shown[place];
    if (rows.has(master.index)) continue;
    const row = makeRow(master, place);
    rows.set(master.index, row);
    fresh.push(row);
  }
  space.append(...fresh);
  const active = selected && rows.get(selected.index);
  if (active) view.setAttribute("aria-activedescendant", active.id);
  else view.removeAttribute("aria-activedescendant");
  emit("painted");
}

function makeRow(master, place) {
  const review = reviewOf(master);
  const thumb = h("canvas", { class: "thumb", width: 192, height: 56, "aria-hidden": "true" });
  drawThumb(thumb, master.thumb);
  const row = h(
    "div",
    {
      class: `row ${review.state ?? ""} ${marks.has(master) ? "marked" : ""}`,
      id: `row-${master.index}`,
      role: "option",
      "data-index": master.index,
      "aria-selected": String(marks.size ? marks.has(master) : master === selected),
      "aria-setsize": shown.length,
      "aria-posinset": place + 1,
    },
    thumb,
    h("span", { class: "check", "aria-hidden": "true" }, marks.has(master) ? "✓" : ""),
    h(
      "span",
      { class: "what" },
      h("span", { class: "name" }, ...nameParts(master)),
      h("span", { class: "prompt" }, master.prompt),
    ),
    h("span", { class: "badges" }, ...rowBadgesOf(master).map((badge) => badgeOf(badge))),
    h("span", { class: "figure length" }, clock(master.seconds)),
    h("span", { class: "figure loudness" }, number(master.lufs), deviation(master)),
    h("span", { class: "figure peak" }, number(master.peak)),
    h("span", { class: "figure quality" }, number(master.quality, 2)),
  );
  row.style.transform = `translateY(${place * height}px)`;
  return row;
}

export function badgeOf(badge) {
  return h("span", { class: `badge ${badge}` }, BADGES[badge][0]);
}

export function deviation(master) {
  if (master.off === null) return null;
  const far = Math.abs(master.off) > 1;
  return h("span", { class: far ? "off far" : "off" }, signed(master.off));
}

export function nameParts(master) {
  const cut = master.name.lastIndexOf("/") + 1;
  return [h("span", { class: "folder" }, master.name.slice(0, cut)), master.name.slice(cut)];
}
