// The player: one master, alone or with another version of it, looped or in turn with its variations.
import { on, emit, variationsOf } from "./data.js";
import { canDecode, decode, Playing } from "./engine.js";

const START_MS = 30;

export const player = {
  master: null, active: false, loading: false, loop: false, robin: false, side: 0, other: null, position: 0,
  seconds: 0, exact: true, problem: "", shuffled: false, gap: 350,
};

let playing = null;
let ticket = 0;

// The sound to compare with: the waiting candidate, the last approved version, or else the previous one.
const defaultOther = (master) =>
  master.others.find(isCandidate) ?? master.others.find((other) => other.approved) ?? master.others[0] ?? null;

export const isCandidate = (other) => other.version === null;

// The target of a decision: the master, or its waiting candidate while that plays.
export const decisionTarget = (master) =>
  player.master === master && player.side && isCandidate(player.other) ? { ...master, ...idsOf(player.other) } : master;

const idsOf = ({ take, master }) => ({ take, master });

export function choose(master) {
  if (player.master === master) return;
  const resume = player.active;
  stop();
  Object.assign(player, {
    master, side: 0, position: 0, problem: "", other: master && defaultOther(master),
    loop: Boolean(master?.loop) && !player.robin, seconds: master?.seconds ?? 0,
  });
  if (resume && master) play();
  else emit("player");
}

export function toggle() {
  if (player.active) pause();
  else play();
}

// With `seconds`, a decoded sound plays that long, and the position returns to where it began.
export async function play(offset = player.position, seconds = null) {
  const { master, other } = player;
  if (!master) return;
  const ownTicket = halt();
  Object.assign(player, { active: true, loading: true, problem: "" });
  emit("player");
  try {
    const opened = await Playing.open(other ? [master, other] : [master]);
    if (ownTicket !== ticket) {
      opened.stop();
      return;
    }
    playing = opened;
    player.exact = playing.exact;
    player.loading = false;
    const started = playing.start({ offset, loop: player.loop, audible: player.side, seconds, onended: () => ended(seconds ? offset : 0) });
    tick();
    emit("player");
    await started;
    return;
  } catch (error) {
    if (ownTicket !== ticket) return;
    halt();
    Object.assign(player, { active: false, loading: false, problem: error.message });
  }
  emit("player");
}

export function pause() {
  const position = playing ? playing.position : player.position;
  halt();
  Object.assign(player, { active: false, loading: false, robin: false, position });
  emit("player");
}

export function stop() {
  halt();
  Object.assign(player, { active: false, loading: false, position: 0 });
  emit("player");
}

export function seek(seconds) {
  player.position = Math.min(Math.max(0, seconds), Math.max(0, player.seconds - 0.01));
  if (player.active) play(player.position);
  else emit("player");
}

// Plays on from some time before the end of the loop to as long after its start, through the wrap.
export function playSeam(end, length) {
  const around = Math.min(1, length);
  Object.assign(player, { loop: true, robin: false });
  play(end - around, 2 * around);
}

export function toggleLoop() {
  player.loop = !player.loop;
  playing?.setLoop(player.loop);
  emit("player");
}

export function switchSide() {
  if (!player.other) return;
  player.side = 1 - player.side;
  player.seconds = (player.side ? player.other : player.master).seconds;
  if (playing && playing.position > player.seconds && !player.loop) play(0);
  else playing?.switchTo(player.side);
  emit("player");
}

export function compareWith(other) {
  player.other = other;
  if (!other) player.side = 0;
  if (player.active) play(playing?.position ?? 0);
  else emit("player");
}

export function toggleRobin() {
  player.robin = !player.robin;
  player.loop = false;
  if (player.robin) {
    variationsOf(player.master).filter(canDecode).forEach((master) => decode(master, master.rate).catch(() => null));
    play(0);
  } else pause();
}

// Like a game: in turn, or any but the one that has just played.
function nextVariation(master) {
  const variations = variationsOf(master);
  if (!player.shuffled || variations.length < 2) return variations[(variations.indexOf(master) + 1) % variations.length];
  const rest = variations.filter((variation) => variation !== master);
  return rest[Math.floor(Math.random() * rest.length)];
}

export const soundState = () => (playing ? playing.state : "idle");

function ended(position) {
  halt();
  player.position = position;
  if (!player.robin) {
    player.active = false;
    emit("player");
    return;
  }
  const ownTicket = ticket;
  setTimeout(() => {
    if (ownTicket !== ticket || !player.robin) return;
    player.active = false;
    emit("next", nextVariation(player.master));
    play(0);
  }, Math.max(0, player.gap - START_MS));
}

function halt() {
  ticket += 1;
  playing?.stop();
  playing = null;
  return ticket;
}

function tick() {
  if (!playing) return;
  player.position = playing.position;
  emit("position");
  requestAnimationFrame(tick);
}

on("stop", stop);
