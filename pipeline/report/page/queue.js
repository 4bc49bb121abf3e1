// Decisions on their way to the review server. Each entry is stored in this browser before it is sent, and until the
// server has it: a server that is away, a closed tab or a reload loses nothing.
import { loadSetting, saveSetting } from "./dom.js";
import { report, emit } from "./data.js";
import { call } from "./server.js";

const KEY = `cuesmith-unsaved ${report.project}`;
const waiting = new Map();
let entries = stored() ?? [];
let sending = null;
let busy = false;

export const unsaved = () => entries;

// Sends an entry after those before it. What becomes of it: {saved: answer}, {held: id} if nobody answers,
// {asked: entry} if the server has questions, {refused: reason}.
export function enqueue(path, body, facts) {
  const entry = { id: `${Date.now()}-${Math.random()}`, path, body, ...facts };
  change((list) => [...list, entry]);
  const outcome = new Promise((resolve) => waiting.set(entry.id, resolve));
  flush();
  return outcome;
}

// Sends what waits, in order. Entries with questions or faults wait for the reviewer.
export async function flush() {
  if (busy) return;
  busy = true;
  try {
    for (let entry = next(); entry; entry = next()) {
      if (!(await send(entry))) break;
    }
  } finally {
    busy = false;
    sending = null;
  }
}

const next = () => entries.find((entry) => !entry.questions && !entry.fault);

async function send(entry) {
  sending = entry.id;
  try {
    const query = new URLSearchParams({ seen: entry.seen, latest: entry.latest });
    const answer = await call("POST", `${entry.path}?${query}`, entry.body);
    drop(entry.id);
    emit("standing", { answer, version: entry.body.version });
    settle(entry.id, { saved: answer });
    return true;
  } catch (error) {
    if (error.status === undefined || error.status === 403 || error.status >= 500) {
      for (const { id } of entries) settle(id, { held: id });
      emit("lost", error);
      return false;
    }
    const { questions = null, latest, count } = error;
    const known = { ...entry, questions, fault: questions ? null : error.message, latest: latest ?? entry.latest, seen: count ?? entry.seen };
    change((list) => list.map((other) => (other.id === entry.id ? known : other)));
    settle(entry.id, questions ? { asked: known } : { refused: error.message });
    return true;
  }
}

function settle(id, outcome) {
  waiting.get(id)?.(outcome);
  waiting.delete(id);
}

// Removes an entry; false if it is just being sent.
export function withdraw(id) {
  if (sending === id) return false;
  drop(id);
  return true;
}

const drop = (id) => change((list) => list.filter((entry) => entry.id !== id));

// Sends an entry again, with the reviewer's answer to its questions: only its ``decisions``.
export function resend(entry, decisions = entry.body.decisions) {
  drop(entry.id);
  const { path, body, seen, latest, text } = entry;
  return enqueue(path, { ...body, decisions }, { seen, latest, text });
}

// Another tab may have changed the list meanwhile.
function change(edit) {
  entries = edit(stored() ?? entries);
  saveSetting(KEY, JSON.stringify(entries));
  emit("unsaved");
}

addEventListener("storage", (event) => {
  if (event.key !== KEY) return;
  entries = stored() ?? [];
  emit("unsaved");
});

function stored() {
  try {
    const list = JSON.parse(loadSetting(KEY));
    return Array.isArray(list) ? list : null;
  } catch {
    return null;
  }
}
