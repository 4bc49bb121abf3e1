// The audio engine. A sound that is decoded in memory starts, loops and switches exactly to the sample. A page from
// disk may not read the other sounds; a media element streams them, without this precision.
import { bytesOf } from "./dom.js";
import { loadSound } from "./sidecars.js";

const FADE_S = 0.012;
const START_S = 0.03;
const KEEP_S = 600;
const ALLOW_MS = 5000;
const FROM_DISK = location.protocol === "file:";

let context = null;
let output = null;
let tap = null;
let volume = 1;
const decoded = new Map();

// What plays, before the page's volume, for meters. A mono sound is on the first channel only.
export const listenPoint = () => ({ context, tap });

export function setVolume(value) {
  volume = value;
  if (output) output.gain.setTargetAtTime(value, context.currentTime, 0.01);
}

// One context at the sample rate of the sound: without resampling, loop points stay on their samples.
function contextFor(rate) {
  if (context?.sampleRate !== rate) {
    context?.close();
    context = new AudioContext({ sampleRate: rate, latencyHint: "interactive" });
    output = context.createGain();
    output.gain.value = volume;
    output.connect(context.destination);
    tap = new GainNode(context, { channelInterpretation: "discrete" });
  }
  if (context.state === "suspended") context.resume().catch(() => null);
  return context;
}

// Rejects if the browser keeps the context silent.
async function allowed() {
  if (context.state === "running") return;
  const late = new Promise((_, reject) => setTimeout(reject, ALLOW_MS));
  await Promise.race([context.resume(), late]).catch(() => Promise.reject(silenced()));
}

async function bytes(sound) {
  if (FROM_DISK) {
    const packed = await loadSound(sound.pcm);
    return bytesOf(packed.data).buffer;
  }
  const answer = await fetch(sound.sound);
  if (!answer.ok) throw new Error(`${sound.sound} cannot be loaded (${answer.status}); run cuesmith verify`);
  return answer.arrayBuffer();
}

const unplayable = (sound) =>
  new Error(`${sound.sound} is missing, damaged, or in a format that this browser cannot play; run cuesmith verify`);

const silenced = () => new Error("This browser does not let the page play: allow sound for this page, then press Play again");

// A page from disk reads only the sounds that the report stores beside it.
export const canDecode = (sound) => !FROM_DISK || sound.whole;

// The samples of a sound at a rate. This needs no sound card, so it also works before the first click.
export async function decode(sound, rate) {
  const key = `${sound.pcm} ${rate}`;
  let pending = decoded.get(key);
  if (!pending) {
    const decoder = new OfflineAudioContext(1, 1, rate);
    pending = bytes(sound).then((data) => decoder.decodeAudioData(data).catch(() => Promise.reject(unplayable(sound))));
    pending.catch(() => decoded.delete(key));
  }
  decoded.delete(key);
  decoded.set(key, pending);
  const ready = await pending;
  trimCache();
  return ready;
}

async function trimCache() {
  let seconds = 0;
  for (const [key, promise] of [...decoded].reverse()) {
    seconds += (await promise.catch(() => null))?.duration ?? 0;
    if (seconds > KEEP_S) decoded.delete(key);
  }
}

class BufferVoice {
  constructor(sound, data) {
    this.exact = true;
    this.sound = sound;
    this.data = data;
    this.gain = context.createGain();
    this.gain.gain.value = 0;
    this.gain.connect(output);
    this.gain.connect(tap);
  }

  get seconds() {
    return this.data.duration;
  }

  start({ offset, loop, when, seconds, onended }) {
    this.source = new AudioBufferSourceNode(context, { buffer: this.data, loop });
    [this.from, this.to] = loopOf(this.sound, this.data.duration);
    this.source.loopStart = this.from;
    this.source.loopEnd = this.to;
    this.looping = loop;
    this.began = when - offset;
    this.source.onended = onended;
    this.source.connect(this.gain);
    this.source.start(when, offset % this.data.duration, ...(seconds ? [seconds] : []));
  }

  // From the middle of a sound: a start at full level would click. A sound's own start is its attack, so it stays.
  fadeInAt(when, level) {
    this.gain.gain.setValueAtTime(0, when);
    this.gain.gain.linearRampToValueAtTime(level, when + FADE_S);
  }

  fadeOutBefore(when, level) {
    this.gain.gain.setValueAtTime(level, when - FADE_S);
    this.gain.gain.linearRampToValueAtTime(0, when);
  }

  setLoop(loop) {
    this.began = context.currentTime - this.position();
    this.source.loop = this.looping = loop;
  }

  position() {
    const elapsed = Math.max(0, context.currentTime - this.began);
    if (!this.looping || elapsed < this.to) return Math.min(elapsed, this.data.duration);
    return this.from + ((elapsed - this.from) % (this.to - this.from));
  }

  fadeTo(level) {
    this.gain.gain.cancelScheduledValues(context.currentTime);
    this.gain.gain.setValueAtTime(this.gain.gain.value, context.currentTime);
    this.gain.gain.linearRampToValueAtTime(level, context.currentTime + FADE_S);
  }

  stop() {
    if (!this.source) return;
    this.source.onended = null;
    this.fadeTo(0);
    this.source.stop(context.currentTime + FADE_S * 2);
    setTimeout(() => this.gain.disconnect(), 100);
  }
}

class ElementVoice {
  constructor(sound) {
    this.exact = false;
    this.sound = sound;
    this.element = new Audio(sound.sound);
    this.level = 0;
  }

  get seconds() {
    return this.sound.seconds;
  }

  start({ offset, loop, onended }) {
    this.element.loop = loop;
    this.element.onended = onended;
    this.element.currentTime = offset;
    this.element.volume = this.level * volume;
    // Stopping while it loads is not an error.
    return this.element.play().catch((error) => {
      if (error.name !== "AbortError") throw error.name === "NotAllowedError" ? silenced() : unplayable(this.sound);
    });
  }

  setLoop(loop) {
    this.element.loop = loop;
  }

  position() {
    return this.element.currentTime;
  }

  fadeTo(level) {
    const from = this.level;
    const began = performance.now();
    this.level = level;
    const step = () => {
      const share = Math.min(1, (performance.now() - began) / (FADE_S * 1000));
      this.element.volume = Math.min(1, Math.max(0, (from + (level - from) * share) * volume));
      if (share < 1 && this.level === level) requestAnimationFrame(step);
    };
    step();
  }

  stop() {
    this.element.onended = null;
    this.element.pause();
    this.element.removeAttribute("src");
    this.element.load();
  }
}

async function voice(sound, rate) {
  if (!canDecode(sound)) return new ElementVoice(sound);
  contextFor(rate);
  const data = await decode(sound, rate);
  return new BufferVoice(sound, data);
}

function loopOf(sound, seconds) {
  return sound.loop ? [sound.loop[0] / sound.rate, sound.loop[1] / sound.rate] : [0, seconds];
}

// Both sides at the loudness of the quieter one: levels only go down, so nothing clips.
export function levels(sounds) {
  const known = sounds.map((sound) => sound.lufs).filter((value) => value !== null);
  if (sounds.length < 2 || known.length < sounds.length) return sounds.map(() => 1);
  const quietest = Math.min(...known);
  return known.map((lufs) => 10 ** ((quietest - lufs) / 20));
}

// One sound, or two that run in parallel, of which one is audible.
export class Playing {
  static async open(sounds) {
    const voices = [];
    for (const sound of sounds) voices.push(await voice(sound, sounds[0].rate));
    return new Playing(voices, levels(sounds));
  }

  constructor(voices, gains) {
    this.voices = voices;
    this.gains = gains;
    this.audible = 0;
  }

  get exact() {
    return this.voices.every((voice) => voice.exact);
  }

  // Resolves when every voice plays; rejects if one cannot. A decoded sound ends after `seconds`, if they are given.
  start({ offset = 0, loop = false, audible = 0, seconds = null, onended }) {
    this.audible = audible;
    const when = context ? context.currentTime + START_S : 0;
    const started = this.voices.map((voice, side) => {
      const begin = offset < voice.seconds ? offset : 0;
      const playing = voice.start({ offset: begin, loop, when, seconds, onended: () => side === this.audible && onended() });
      const level = side === audible ? this.gains[side] : 0;
      if (begin && voice.exact) voice.fadeInAt(when, level);
      else voice.fadeTo(level);
      if (seconds && voice.exact) voice.fadeOutBefore(when + seconds, level);
      return playing;
    });
    if (this.voices.some((voice) => voice.exact)) started.push(allowed());
    return Promise.all(started);
  }

  switchTo(side) {
    this.audible = side;
    this.voices.forEach((voice, index) => voice.fadeTo(index === side ? this.gains[index] : 0));
  }

  setLoop(loop) {
    this.voices.forEach((voice) => voice.setLoop(loop));
  }

  get position() {
    return this.voices[this.audible].position();
  }

  get state() {
    return this.exact ? context.state : "element";
  }

  stop() {
    this.voices.forEach((voice) => voice.stop());
  }
}
