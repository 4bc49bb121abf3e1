// What is playing: one master, alone or beside another version of it, looped or in turn with its variations.
import { hear, tell, variationsOf } from "./data.js";
import { Playing } from "./engine.js";

const BETWEEN_MS = 350;

export const player = {
  master: null, active: false, loading: false, loop: false, robin: false, heard: 0, other: null, position: 0,
  seconds: 0, exact: true, problem: "",
};

let playing = null;
let ticket = 0;

// The one to compare with: a candidate that waits, the last approved, or else the one before.
export const usualOther = (master) =>
  master.others.find(isCandidate) ?? master.others.find((one) => one.approved) ?? master.others[0] ?? null;

export const isCandidate = (other) => other.version === null;

// What a decision is about: the master, or the candidate beside it while that is what is heard.
export const decidedOn = (master) =>
  player.master === master && player.heard && isCandidate(player.other) ? { ...master, ...idsOf(player.other) } : master;

const idsOf = ({ take, master }) => ({ take, master });

export function choose(master) {
  if (player.master === master) return;
  const goOn = player.active;
  stop();
  Object.assign(player, {
    master, heard: 0, position: 0, problem: "", other: master && usualOther(master),
    loop: Boolean(master?.loop) && !player.robin, seconds: master?.seconds ?? 0,
  });
  if (goOn && master) play();
  else tell("player");
}

export function toggle() {
  if (player.active) pause();
  else play();
}

export async function play(offset = player.position) {
  const { master, other } = player;
  if (!master) return;
  const mine = halt();
  Object.assign(player, { active: true, loading: true, problem: "" });
  tell("player");
  try {
    const opened = await Playing.open(other ? [master, other] : [master]);
    if (mine !== ticket) {
      opened.stop();
      return;
    }
    playing = opened;
    player.exact = playing.exact;
    player.loading = false;
    const begun = playing.start({ offset, loop: player.loop, heard: player.heard, onended: ended });
    tick();
    tell("player");
    await begun;
    return;
  } catch (error) {
    if (mine !== ticket) return;
    halt();
    Object.assign(player, { active: false, loading: false, problem: error.message });
  }
  tell("player");
}

export function pause() {
  const position = playing ? playing.position : player.position;
  halt();
  Object.assign(player, { active: false, loading: false, robin: false, position });
  tell("player");
}

export function stop() {
  halt();
  Object.assign(player, { active: false, loading: false, position: 0 });
  tell("player");
}

export function seek(seconds) {
  player.position = Math.min(Math.max(0, seconds), Math.max(0, player.seconds - 0.01));
  if (player.active) play(player.position);
  else tell("player");
}

export function toggleLoop() {
  player.loop = !player.loop;
  playing?.setLoop(player.loop);
  tell("player");
}

export function switchSide() {
  if (!player.other) return;
  player.heard = 1 - player.heard;
  player.seconds = (player.heard ? player.other : player.master).seconds;
  if (playing && playing.position > player.seconds && !player.loop) play(0);
  else playing?.switchTo(player.heard);
  tell("player");
}

export function compareWith(other) {
  player.other = other;
  if (!other) player.heard = 0;
  if (player.active) play(playing?.position ?? 0);
  else tell("player");
}

export function toggleRobin() {
  player.robin = !player.robin;
  player.loop = false;
  if (player.robin) play(0);
  else pause();
}

export const soundState = () => (playing ? playing.state : "idle");

function ended() {
  halt();
  player.position = 0;
  if (!player.robin) {
    player.active = false;
    tell("player");
    return;
  }
  const turn = variationsOf(player.master);
  const next = turn[(turn.indexOf(player.master) + 1) % turn.length];
  const mine = ticket;
  setTimeout(() => {
    if (mine !== ticket || !player.robin) return;
    player.active = false;
    tell("turn", next);
    play(0);
  }, BETWEEN_MS);
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
  tell("position");
  requestAnimationFrame(tick);
}

hear("stop", stop);
