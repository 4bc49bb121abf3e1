// The waveform of a sound at any scale: from its decoded samples, or from the picture that the report stores.
import { decode } from "./engine.js";
import { emit } from "./data.js";
import { storedColumns } from "./pictures.js";
import { loadPicture } from "./sidecars.js";

const BLOCK = 256;

class StoredWave {
  constructor(picture, seconds) {
    this.picture = picture;
    this.seconds = seconds;
    this.whole = storedColumns(picture);
  }

  // The stored columns that touch [from, to] seconds: at most 480 for the whole sound, so they get coarse in a zoom.
  columns(from, to) {
    const { low, high } = this.whole;
    const each = this.seconds / high.length;
    const first = Math.max(0, Math.floor(from / each));
    const last = Math.min(high.length, Math.ceil(to / each));
    return { from: first * each, to: last * each, low: low.subarray(first, last), high: high.subarray(first, last) };
  }
}

class DecodedWave {
  constructor(buffer) {
    this.buffer = buffer;
    this.rate = buffer.sampleRate;
    this.seconds = buffer.duration;
    this.channels = Array.from({ length: buffer.numberOfChannels }, (_, channel) => buffer.getChannelData(channel));
    const blocks = Math.ceil(buffer.length / BLOCK);
    this.lows = new Float32Array(blocks);
    this.highs = new Float32Array(blocks);
    for (let block = 0; block < blocks; block += 1) {
      [this.lows[block], this.highs[block]] = this.scan(block * BLOCK, (block + 1) * BLOCK);
    }
    this.last = {};
  }

  scan(first, end) {
    let low = Infinity;
    let high = -Infinity;
    for (const channel of this.channels) {
      const stop = Math.min(end, channel.length);
      for (let sample = first; sample < stop; sample += 1) {
        const value = channel[sample];
        if (value < low) low = value;
        if (value > high) high = value;
      }
    }
    return [low, high];
  }

  // Lowest and highest sample of all channels in [first, end).
  extremes(first, end) {
    const [inner, outer] = [Math.ceil(first / BLOCK), Math.floor(end / BLOCK)];
    if (outer - inner < 2) return this.scan(first, end);
    let [low, high] = this.scan(first, inner * BLOCK);
    for (let block = inner; block < outer; block += 1) {
      low = Math.min(low, this.lows[block]);
      high = Math.max(high, this.highs[block]);
    }
    const [tailLow, tailHigh] = this.scan(outer * BLOCK, end);
    return [Math.min(low, tailLow), Math.max(high, tailHigh)];
  }

  // About `count` columns for [from, to] seconds, or the single samples where they are fewer.
  columns(from, to, count) {
    const key = `${from} ${to} ${count}`;
    if (this.last.key !== key) this.last = { key, value: this.compute(from, to, count) };
    return this.last.value;
  }

  compute(from, to, count) {
    const each = ((to - from) * this.rate) / count;
    const start = Math.max(0, from * this.rate);
    const end = Math.min(this.buffer.length, to * this.rate);
    if (each < 1) {
      const first = Math.max(0, Math.floor(start) - 1);
      return { points: { first, rate: this.rate, channels: this.channels.map((channel) => channel.subarray(first, Math.ceil(end) + 2)) } };
    }
    const filled = Math.max(0, Math.ceil((end - start) / each));
    const [low, high] = [new Float32Array(filled), new Float32Array(filled)];
    for (let column = 0; column < filled; column += 1) {
      const first = Math.floor(start + column * each);
      const stop = Math.min(this.buffer.length, Math.max(first + 1, Math.floor(start + (column + 1) * each)));
      [low[column], high[column]] = this.extremes(first, stop);
    }
    return { from: start / this.rate, to: (start + filled * each) / this.rate, low, high };
  }
}

const stored = new Map();
const decoded = new Map();

// The best waveform so far; null if none is loaded.
export const waveOf = (sound) => decoded.get(sound.pcm) ?? stored.get(sound.pcm) ?? null;
export const decodedOf = (sound) => decoded.get(sound.pcm) ?? null;
export const pictureOf = (sound) => stored.get(sound.pcm)?.picture ?? null;

// Samples take memory, so only those of the open master and its variations stay.
export function forgetWaves() {
  stored.clear();
  decoded.clear();
}

export async function loadStored(sound) {
  const picture = await loadPicture(sound.pcm);
  stored.set(sound.pcm, new StoredWave(picture, sound.seconds));
  emit("wave");
}

export async function loadDecoded(sound) {
  if (decoded.has(sound.pcm)) return;
  const buffer = await decode(sound, sound.rate);
  if (decoded.has(sound.pcm)) return;
  decoded.set(sound.pcm, new DecodedWave(buffer));
  emit("wave");
}
