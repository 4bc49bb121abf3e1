// The open master: player, pictures, figures against targets, review, and origin.
import { byId, clock, h, number, signed } from "./dom.js";
import { on, isQuarantined, report, emit, variationsOf } from "./data.js";
import { assetButton } from "./batch.js";
import { refusalOf, review, reviewOf, verbFor } from "./decisions.js";
import { badgesOf } from "./filters.js";
import { badgeOf, nameParts } from "./list.js";
import { drawSpectrum, drawWave } from "./pictures.js";
import { compareWith, decisionTarget, isCandidate, player, seek, soundState, switchSide, toggle, toggleLoop, toggleRobin } from "./player.js";
import { loadDetails, loadPicture } from "./sidecars.js";

const panel = byId("detail");
let open = null;
let picture = null;
let parts = {};
const drafts = new Map();

export function showDetail(master) {
  const focused = focusedControl();
  open = master;
  picture = null;
  parts = {};
  panel.hidden = !master;
  document.body.classList.toggle("open", Boolean(master));
  if (!master) return;
  panel.replaceChildren(head(master), transport(master), isQuarantined(master) ? quarantineSection(master) : reviewSection(master), figures(master), origin(master));
  panel.scrollTop = 0;
  if (focused) panel.querySelector(`[data-control="${focused}"]`)?.focus();
  drawAll();
  fillPicture();
  fillDetails(master);
  refreshPlayer();
}

// The control with keyboard focus; the next master gets the same. After a click, keys go to the page.
function focusedControl() {
  const element = document.activeElement;
  return panel.contains(element) && element.matches(":focus-visible") ? element.dataset.control : null;
}

// On narrow screens the open master covers the list.
export function focusDetail() {
  if (getComputedStyle(panel).position === "fixed") panel.focus();
}

function head(master) {
  const close = h("button", { type: "button", class: "close", onclick: () => emit("close"), "aria-label": "Close" }, "×");
  parts.prompt = h("p", { class: "prompt" }, master.prompt);
  parts.badges = h("p", { class: "badges" });
  return h(
    "header",
    {},
    h("h2", { id: "detail-name" }, ...nameParts(master)),
    close,
    parts.prompt,
    parts.badges,
  );
}

function transport(master) {
  const button = (key, label, title, then) =>
    h("button", { type: "button", title: `${title} (${key})`, "aria-keyshortcuts": key, "data-control": key, onclick: then }, label);
  parts.play = button("Space", "Play", "Play or pause", toggle);
  parts.play.classList.add("primary");
  parts.loop = button("L", "Loop", "Repeat the loop without a gap", toggleLoop);
  parts.robin = button("V", "Variations", "Play all variations in turn", toggleRobin);
  parts.robin.hidden = variationsOf(master).length < 2;
  parts.side = button("B", "A/B", "Switch between this and the other version, at equal loudness", switchSide);
  parts.other = otherSelect(master);
  parts.side.hidden = parts.other.hidden = master.others.length === 0;
  parts.clock = h("output", { class: "clock", "aria-label": "Position" });
  parts.note = h("p", { class: "note", role: "status" });
  parts.wave = h("canvas", { class: "wave", "aria-hidden": "true" });
  parts.spectrum = h("canvas", { class: "spectrum", "aria-hidden": "true" });
  parts.seek = h("input", {
    type: "range", class: "seek", min: 0, max: master.seconds, step: 0.01, value: 0, "aria-label": "Position in seconds",
    oninput: (event) => seek(Number(event.target.value)),
  });
  const scale = h("div", { class: "scale", "aria-hidden": "true" }, h("span", {}, "20 kHz"), h("span", {}, "900"), h("span", {}, "40 Hz"));
  parts.scale = scale;
  return h(
    "section",
    { class: "transport", "aria-label": "Player" },
    h("div", { class: "screen" }, parts.wave, h("div", { class: "spectrum-box" }, parts.spectrum, scale), parts.seek),
    h("div", { class: "buttons" }, parts.play, parts.loop, parts.robin, parts.side, parts.other, parts.clock),
    parts.note,
  );
}

function otherSelect(master) {
  const options = master.others.map((other, place) =>
    h("option", { value: place }, sideName(other)),
  );
  const select = h("select", {
    "aria-label": "Compare with",
    onchange: (event) => compareWith(master.others[Number(event.target.value)]),
  }, ...options);
  select.value = String(master.others.indexOf(player.other));
  return select;
}

function reviewSection(master) {
  const act = (key, action, label, style = "") =>
    h("button", {
      type: "button", class: style, "data-action": action, "data-control": action, "aria-keyshortcuts": key || null,
      title: key ? `${label} (${key})` : label, onclick: () => emit("decide", { master: open, action }),
    }, label);
  parts.lock = act("", "lock", "Lock");
  parts.comment = h("textarea", {
    id: "comment", rows: 2, maxlength: 4000, dir: "auto", placeholder: "Comment, saved with your decision",
    oninput: (event) => drafts.set(master.index, event.target.value),
  });
  parts.comment.value = drafts.get(master.index) ?? "";
  parts.about = h("p", { class: "note", role: "status" });
  parts.refusal = h("p", { class: "refusal", id: "refusal" });
  parts.history = h("ol", { class: "history" });
  return h(
    "section",
    { class: "review", "aria-label": "Review" },
    h("label", { for: "comment" }, "Comment"),
    parts.comment,
    h("div", { class: "buttons" }, act("A", "approve", "Approve", "good"), act("R", "reject", "Reject", "bad"),
      act("", "reroll", "Re-roll"), parts.lock, act("", "clear", "Not reviewed"), act("", "comment", "Comment only"), assetButton(master)),
    parts.refusal,
    parts.about,
    parts.history,
  );
}

// Why the master is not in the catalog, and how to fix that. The manifest decides, so there are no review buttons.
function quarantineSection(master) {
  const gates = master.quarantined.map((gate) =>
    h("li", {},
      h("strong", {}, gate.name), `: ${gate.what}`,
      h("span", { class: "measured" }, `measured ${Number(gate.measured.toPrecision(4))}, limit ${Number(gate.limit.toPrecision(4))}`)),
  );
  const remedies = [...new Set(master.quarantined.map((gate) => gate.loosened))];
  const more = master.candidate_count + 3;
  return h(
    "section",
    { class: "quarantine", "aria-label": "Quarantine" },
    h("h3", {}, "Quarantined: not in the catalog"),
    h("ul", {}, ...gates),
    h("p", {}, "To fix this, change this asset in the manifest:"),
    h("ul", {},
      h("li", {}, "for another take, change ", h("code", {}, "prompt"), " or ", h("code", {}, "seed")),
      h("li", {}, "for more candidates, set ", h("code", {}, `candidates: ${more}`)),
      h("li", {}, "to accept this sound, set ", ...remedies.flatMap((line) => [h("code", {}, line), " "]),
        remedies.includes("quality: {gate: false}") ? null : ["or, to publish it despite all gates, ", h("code", {}, "quality: {gate: false}")]),
    ),
    h("p", { class: "hint" }, "If you accept it, the next build publishes this take and generates nothing."),
  );
}

export const draftOf = (master) => (drafts.get(master.index) ?? "").trim();

export function discardComment(master, written) {
  if (draftOf(master) !== written) return;
  drafts.delete(master.index);
  if (open === master) parts.comment.value = "";
}

export const focusComment = () => parts.comment?.focus();

function figures(master) {
  const off = master.off;
  const rows = [
    figure(
      "Loudness", `${number(master.lufs)} LUFS`, `target ${number(master.target)}${off === null ? "" : `, off by ${signed(off)} LU`}`,
      off === null || Math.abs(off) <= 1,
    ),
    figure("True peak", `${number(master.peak)} dBTP`, master.ceiling === null ? "" : `ceiling ${number(master.ceiling)}`,
      master.peak === null || master.ceiling === null || master.peak <= master.ceiling + 0.1),
    figure("Quality", number(master.quality, 2), master.failures.length ? master.failures.join(", ") : "all gates passed",
      master.failures.length === 0),
    figure("Length", `${number(master.seconds, 3)} s`, `${master.rate / 1000} kHz, ${channels(master.channels)}`, true),
  ];
  if (master.loop) {
    const [start, end] = master.loop;
    rows.push(figure("Loop", `${start} – ${end}`, `${number((end - start) / master.rate, 3)} s in samples${master.bpm ? `, ${master.bpm} bpm` : ""}`, true));
  }
  parts.more = h("tbody", {});
  return h(
    "section",
    { class: "figures" },
    h("h3", {}, "Figures"),
    h("table", {}, h("caption", { class: "hidden" }, "Measurements and targets"), h("tbody", {}, ...rows), parts.more),
  );
}

function figure(name, value, against, fine) {
  return h(
    "tr",
    { class: fine ? "" : "wrong" },
    h("th", { scope: "row" }, name),
    h("td", { class: "value" }, value),
    h("td", {}, fine ? against : [h("span", { class: "warn" }, "! "), against]),
  );
}

const sideName = (other) =>
  isCandidate(other) ? "the candidate" : `version ${other.version}${other.approved ? ", approved" : ""}`;

const channels = (count) => ({ 1: "mono", 2: "stereo" })[count] ?? `${count} channels`;

function origin(master) {
  parts.origin = h("dl", {});
  const made = master.modelFacts;
  addFact("Engine and model", `${made.engine} · ${made.model} @ ${made.revision}`);
  addFact("Licence", `${made.license}${made.commercial ? "" : " (no commercial use)"}`);
  if (master.changes.length) addFact(`Changed since version ${report.against}`, master.changes.join(", "));
  if (master.waiting) addFact("Reasons for the waiting candidate", master.waiting.join(", "));
  if (master.reason) addFact(`Reason (${master.status})`, master.reason);
  addFact("Tags", master.tags.join(", "));
  return h("section", { class: "origin" }, h("h3", {}, "Origin"), parts.origin);
}

function addFact(term, text, wide = false) {
  if (text === null || text === undefined || text === "") return;
  parts.origin.append(h("div", { class: wide ? "wide" : "" }, h("dt", {}, term), h("dd", {}, String(text))));
}

async function fillDetails(master) {
  let loaded;
  try {
    loaded = await loadDetails(master);
  } catch (error) {
    if (open === master) addFact("Details", error.message, true);
    return;
  }
  if (open !== master) return;
  const { recipe, generated, mastered, manifest, measurements, loudness, quality } = loaded;
  if (measurements) {
    parts.more.append(
      figure("Loudest 400 ms", `${number(measurements.momentary_max_lufs)} LUFS`, "momentary maximum", true),
      figure("Range", `${number(measurements.loudness_range_lu)} LU`, `crest ${number(measurements.crest_db)} dB`, true),
      figure("Gain", `${signed(loudness.gain_db)} dB`, [loudness.limited_db ? `limiter ${number(loudness.limited_db)} dB` : "no limiting",
        loudness.deviation ? `off target: ${loudness.deviation}` : ""].filter(Boolean).join("; "), true),
      ...Object.entries(loaded.candidates[0]?.scores ?? {}).map(([name, value]) => figure(name, number(value, 3), "score of the take", false)),
      ...quality.failures.map((item) => figure(item.name, number(item.measured, 3), `${item.what}; limit ${number(item.limit, 3)}`, false)),
    );
  }
  if (recipe) {
    addFact("Seed", recipe.seed);
    addFact("Settings", pairs(recipe.settings));
    addFact("Conditioning", pairs(recipe.conditioning));
    addFact("Mastering", loaded.chain.map((step) => step.step).join(" → "));
    addFact("Generated", `${generated.at.slice(0, 19)} UTC on ${generated.device}, ${number(generated.seconds, 2)} s, run ${generated.run}`);
    addFact("Mastered", `${mastered.at.slice(0, 19)} UTC on ${mastered.device}, run ${mastered.run}`);
    addFact("Manifest", `${loaded.source}${manifest.profile ? `, profile ${manifest.profile}` : ""}`);
    addFact("Git", manifest.git);
    addFact("Disclosure", loaded.disclosure.statement);
    addFact("Software", pairs({ ...mastered.software, ...generated.software }), true);
    addFact("Engine's notes", pairs(loaded.notes), true);
  } else {
    addFact("Manifest", loaded.source);
  }
  addFact("Files", Object.keys(loaded.files).join("\n"), true);
  addFact("Take", master.take, true);
  addFact("Master", master.master, true);
  addFact("Samples", master.pcm, true);
}

function pairs(value) {
  return Object.entries(value ?? {})
    .map(([key, item]) => `${key} ${item !== null && typeof item === "object" ? JSON.stringify(item) : item}`)
    .join(", ");
}

async function fillPicture() {
  const master = open;
  const sound = player.side && player.other ? player.other : master;
  parts.pictureOf = sound;
  const outdated = () => open !== master || parts.pictureOf !== sound;
  try {
    const loaded = await loadPicture(sound.pcm);
    if (outdated()) return;
    picture = loaded;
    Object.assign(parts, { shown: sound, undrawn: "" });
    parts.note.textContent = note();
    parts.scale.firstChild.textContent = `${Math.round(loaded.top / 1000)} kHz`;
    parts.scale.children[1].textContent = `${Math.round(Math.sqrt(loaded.top * 40) / 100) * 100} Hz`;
    drawAll();
  } catch (error) {
    if (outdated()) return;
    picture = null;
    Object.assign(parts, { shown: sound, undrawn: error.message });
    for (const canvas of [parts.wave, parts.spectrum]) canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    refreshPlayer();
  }
}

function drawAll() {
  if (!picture || !open) return;
  const sound = parts.shown;
  const options = {
    seconds: sound.seconds,
    position: player.active || player.position ? player.position : null,
    loop: sound.loop && sound.loop.map((sample) => sample / sound.rate),
  };
  drawWave(parts.wave, picture, options);
  drawSpectrum(parts.spectrum, picture, options);
}

export function refreshPlayer() {
  if (!open) return;
  parts.play.textContent = player.active ? "Pause" : "Play";
  parts.loop.setAttribute("aria-pressed", String(player.loop));
  parts.robin.setAttribute("aria-pressed", String(player.robin));
  parts.side.textContent = player.side ? `B: ${sideName(player.other)}` : "A: this one";
  parts.side.setAttribute("aria-pressed", String(player.side === 1));
  panel.dataset.playing = player.active ? soundState() : "";
  panel.dataset.side = player.side ? "B" : "A";
  parts.note.textContent = note();
  if (parts.about) parts.about.textContent = about();
  parts.seek.max = player.seconds;
  const sound = player.side && player.other ? player.other : open;
  parts.prompt.textContent = sound.prompt;
  if (parts.pictureOf !== sound) fillPicture();
  refreshPosition();
}

function about() {
  if (!player.side || !player.other) return "";
  if (decisionTarget(open) !== open) return "You are listening to the candidate: your decision applies to it.";
  return `You are listening to version ${player.other.version}, but your decision applies to version ${report.version}.`;
}

function note() {
  if (player.problem) return player.problem;
  if (player.loading) return "Loading…";
  if (player.active && player.loop && !player.exact) {
    return "Streamed from disk: the repeat is not exact to the sample. On this page only loops repeat exactly; `cuesmith review` repeats every sound exactly.";
  }
  return parts.undrawn ?? "";
}

export function refreshPosition() {
  if (!open) return;
  parts.clock.textContent = `${clock(player.position)} / ${clock(player.seconds)}`;
  panel.dataset.playing = player.active ? soundState() : "";
  panel.dataset.position = player.position.toFixed(3);
  if (document.activeElement !== parts.seek) parts.seek.value = player.position;
  drawAll();
}

export function refreshReview() {
  if (!open) return;
  const state = reviewOf(open);
  parts.badges.replaceChildren(...badgesOf(open).map(badgeOf));
  if (isQuarantined(open)) return;
  parts.lock.textContent = state.locked ? "Unlock" : "Lock";
  parts.lock.dataset.action = state.locked ? "unlock" : "lock";
  const refusals = new Set();
  for (const button of panel.querySelectorAll("[data-action]")) {
    const refusal = refusalOf(open, button.dataset.action);
    if (refusal) refusals.add(refusal);
    button.disabled = !review.canWrite || refusal !== null;
    button.toggleAttribute("aria-describedby", false);
    if (refusal) button.setAttribute("aria-describedby", "refusal");
  }
  panel.querySelector("[data-action=clear]").hidden = state.state === null && decisionTarget(open) === open;
  const kept = open.status === "locked" && !state.locked ? ["Builds keep this sound: remove lock: true in the manifest to replace it."] : [];
  parts.refusal.textContent = [...[...refusals].map((refusal) => `This sound is ${refusal}.`), ...kept].join(" ");
  parts.history.replaceChildren(...[...state.events].reverse().map(eventItem));
}

function eventItem(event) {
  const what = { take: "another master of this take", candidate: "the candidate", earlier: "an earlier take" }[event.subject] ?? "this master";
  const did = { reroll: "requested another take instead of", clear: "cleared the review of" }[event.action] ?? verbFor(event.action);
  return h(
    "li",
    { class: event.action },
    h("strong", {}, `${event.by || "unknown"} `),
    `${did} ${what}`,
    h("time", { datetime: event.at }, ` ${event.at.slice(0, 16).replace("T", " ")}`),
    event.local ? h("em", {}, ` ${event.local}`) : null,
    event.comment ? h("q", {}, event.comment) : null,
  );
}

export function setUpDetail() {
  on("player", refreshPlayer);
  on("position", refreshPosition);
  on("review", refreshReview);
  new ResizeObserver(drawAll).observe(panel);
}
