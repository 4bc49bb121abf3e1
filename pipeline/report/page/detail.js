// The open master: player, pictures, figures against targets, review, and origin.
import { byId, h, number, signed } from "./dom.js";
import { on, isQuarantined, report, emit } from "./data.js";
import { assetButton } from "./batch.js";
import { refusalOf, review, reviewOf, verbFor } from "./decisions.js";
import { badgesOf } from "./filters.js";
import { badgeOf, nameParts } from "./list.js";
import { fileItems } from "./files.js";
import { commentText, stamped } from "./moments.js";
import { decisionTarget, player } from "./player.js";
import { loadDetails } from "./sidecars.js";
import { closeTransport, refreshMarks, refreshTransport, setUpTransport, tools, transport } from "./transport.js";

const panel = byId("detail");
let open = null;
let parts = {};
const drafts = new Map();

export function showDetail(master) {
  const focused = focusedControl();
  open = master;
  parts = {};
  panel.hidden = !master;
  document.body.classList.toggle("open", Boolean(master));
  if (!master) {
    closeTransport();
    return;
  }
  panel.replaceChildren(head(master), transport(master), isQuarantined(master) ? quarantineSection(master) : reviewSection(master), ...tools(master), figures(master), filesSection(), origin(master));
  panel.scrollTop = 0;
  if (focused) panel.querySelector(`[data-control="${focused}"]`)?.focus();
  fillDetails(master);
  refreshTransport();
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
    h("div", { class: "comment-head" }, h("label", { for: "comment" }, "Comment"),
      h("button", { type: "button", class: "link", "data-control": "moment", title: "Begin the comment with the position of the player (T)", "aria-keyshortcuts": "T", onclick: commentHere }, "Comment at this time")),
    parts.comment,
    h("div", { class: "buttons" }, act("A", "approve", "Approve", "good"), act("R", "reject", "Reject", "bad"),
      act("", "reroll", "Re-roll"), parts.lock, act("", "clear", "Unreviewed"), act("", "comment", "Comment only"), assetButton(master)),
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

// Begin the comment with the moment that is heard.
export function commentHere() {
  if (!parts.comment) return;
  parts.comment.value = stamped(parts.comment.value, player.position);
  parts.comment.dispatchEvent(new Event("input"));
  parts.comment.focus();
  parts.comment.setSelectionRange(parts.comment.value.length, parts.comment.value.length);
}

function filesSection() {
  parts.files = h("ul", {});
  return h("section", { class: "files" }, h("h3", {}, "Files"), parts.files);
}

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
  parts.files.replaceChildren(...fileItems(loaded.files, master));
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
    addFact("Watermark", loaded.watermark, true);
    addFact("Disclosure", loaded.disclosure.statement);
    addFact("Software", pairs({ ...mastered.software, ...generated.software }), true);
    addFact("Engine's notes", pairs(loaded.notes), true);
  } else {
    addFact("Manifest", loaded.source);
  }
  addFact("Take", master.take, true);
  addFact("Master", master.master, true);
  addFact("Samples", master.pcm, true);
}

function pairs(value) {
  return Object.entries(value ?? {})
    .map(([key, item]) => `${key} ${item !== null && typeof item === "object" ? JSON.stringify(item) : item}`)
    .join(", ");
}

function refreshPlayer() {
  if (!open) return;
  if (parts.about) parts.about.textContent = about();
  parts.prompt.textContent = (player.side && player.other ? player.other : open).prompt;
}

function about() {
  if (!player.side || !player.other) return "";
  if (decisionTarget(open) !== open) return "You are listening to the candidate: your decision applies to it.";
  return `You are listening to version ${player.other.version}, but your decision applies to version ${report.version}.`;
}

export function refreshReview() {
  if (!open) return;
  const state = reviewOf(open);
  parts.badges.replaceChildren(...badgesOf(open).map(badgeOf));
  refreshMarks();
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
    event.comment ? h("q", {}, ...commentText(event.comment)) : null,
  );
}

export function setUpDetail() {
  setUpTransport();
  on("player", refreshPlayer);
  on("review", refreshReview);
}
