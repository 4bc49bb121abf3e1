// Playlists: filters with a name, saved in this browser for all versions of the project.
import { announce, byId, h, loadSetting, saveSetting } from "./dom.js";
import { report } from "./data.js";
import { addressOf } from "./address.js";
import { filterPairs } from "./filters.js";

const KEY = ["cuesmith playlists", report.project].join(" ");

// Another tab of the project may have changed them.
function read() {
  try {
    const saved = JSON.parse(loadSetting(KEY));
    return Array.isArray(saved) ? saved.filter(({ name, address }) => typeof name === "string" && address?.startsWith?.("#")) : [];
  } catch {
    return [];
  }
}

// Returns whether the browser saved them.
function write(playlists) {
  const sorted = playlists.toSorted((a, b) => a.name.localeCompare(b.name));
  const saved = saveSetting(KEY, JSON.stringify(sorted));
  tell(saved ? "" : "This browser does not save data: copy the address of the page instead.");
  return saved;
}

function tell(text) {
  byId("playlist-problem").textContent = text;
}

// Why a playlist cannot have this name; empty if it can.
function fault(name) {
  if (!name) return "Write a name.";
  return read().some((playlist) => playlist.name === name) ? `There is a playlist ${name} already: choose another name.` : "";
}

function save(event) {
  event.preventDefault();
  const name = byId("playlist-name").value.trim();
  const problem = filterPairs().length ? fault(name) : "Nothing to save: first search, or choose a filter.";
  if (problem) {
    tell(problem);
    return;
  }
  if (!write([...read(), { name, address: addressOf(filterPairs()) }])) return;
  byId("playlist-name").value = "";
  announce(`${name} saved`);
  draw();
}

function rename(playlist, field) {
  const name = field.value.trim();
  if (name === playlist.name) return;
  const problem = fault(name);
  if (problem) {
    field.value = playlist.name;
    tell(problem);
    return;
  }
  write(read().map((other) => (other.name === playlist.name ? { ...other, name } : other)));
  draw();
}

// A deleted playlist stays in view with a button that saves it again, until the dialog closes.
function remove(playlist, row) {
  write(read().filter(({ name }) => name !== playlist.name));
  const undo = h("button", { type: "button", onclick: () => {
    write([...read().filter(({ name }) => name !== playlist.name), playlist]);
    draw();
  } }, "Undo");
  row.replaceChildren(h("span", {}, `${playlist.name} deleted`), undo);
  undo.focus();
}

function item(playlist) {
  const row = h("li", {});
  const { name, address } = playlist;
  row.append(
    h("input", { value: name, maxlength: 80, dir: "auto", "aria-label": `Name of the playlist ${name}`, onchange: (event) => rename(playlist, event.target) }),
    h("a", { href: address, "aria-label": `Open ${name}`, onclick: () => byId("playlists").close() }, "Open"),
    h("button", { type: "button", "aria-label": `Delete ${name}`, onclick: () => remove(playlist, row) }, "Delete"),
  );
  return row;
}

function draw() {
  const saved = read();
  byId("playlist-list").replaceChildren(...saved.map(item));
  byId("no-playlist").hidden = saved.length > 0;
}

export function setUpPlaylists() {
  byId("playlist-form").addEventListener("submit", save);
  byId("show-playlists").addEventListener("click", () => {
    tell("");
    draw();
    byId("playlists").showModal();
  });
}
