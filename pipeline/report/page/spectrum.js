// The spectrogram of a stretch of decoded samples, with the bands, levels and colours of the stored picture.
import { heatPicture } from "./pictures.js";

const BANDS = 72;
const FRAMES = 240;
const LOWEST_HZ = 40;
const [FLOOR_DB, CEILING_DB] = [-96, -12];
const LONGEST_S = 0.04;
// A short window shows when, a long one which pitch: the window is a twelfth of what is shown.
const PARTS = 12;

export function sharpSpectrum(wave, { from, to, top }) {
  const size = windowSize(Math.min(LONGEST_S, (to - from) / PARTS) * wave.rate);
  const edges = Array.from({ length: BANDS + 1 }, (_, band) => (LOWEST_HZ * (top / LOWEST_HZ) ** (band / BANDS) * size) / wave.rate);
  const hann = Float64Array.from({ length: size }, (_, place) => 0.5 - 0.5 * Math.cos((2 * Math.PI * place) / (size - 1)));
  const scale = (2 / hann.reduce((sum, value) => sum + value)) ** 2;
  const shares = new Float32Array(BANDS * FRAMES);
  for (let frame = 0; frame < FRAMES; frame += 1) {
    const middle = Math.round((from + ((to - from) * (frame + 0.5)) / FRAMES) * wave.rate);
    const power = meanPower(wave.channels, middle - size / 2, hann);
    for (let band = 0; band < BANDS; band += 1) {
      const first = Math.min(power.length - 1, Math.round(edges[band]));
      const last = Math.min(power.length, Math.max(first + 1, Math.round(edges[band + 1])));
      const level = 10 * Math.log10(Math.max(...power.subarray(first, last)) * scale + 1e-12);
      const share = Math.min(1, Math.max(0, (level - FLOOR_DB) / (CEILING_DB - FLOOR_DB)));
      shares[(BANDS - 1 - band) * FRAMES + frame] = share;
    }
  }
  return { from, to, picture: heatPicture(FRAMES, BANDS, (pixel) => shares[pixel]), shares };
}

const windowSize = (samples) => 2 ** Math.max(6, Math.min(13, Math.round(Math.log2(samples))));

function meanPower(channels, first, hann) {
  const size = hann.length;
  const power = new Float64Array(size / 2 + 1);
  for (const channel of channels) {
    const real = new Float64Array(size);
    const imaginary = new Float64Array(size);
    for (let place = 0; place < size; place += 1) real[place] = (channel[first + place] ?? 0) * hann[place];
    transform(real, imaginary);
    for (let bin = 0; bin < power.length; bin += 1) power[bin] += (real[bin] ** 2 + imaginary[bin] ** 2) / channels.length;
  }
  return power;
}

// The discrete Fourier transform in place, for a length that is a power of two (Cooley and Tukey, 1965).
export function transform(real, imaginary) {
  const size = real.length;
  for (let place = 1, other = 0; place < size; place += 1) {
    let bit = size >> 1;
    for (; other & bit; bit >>= 1) other ^= bit;
    other ^= bit;
    if (place < other) {
      [real[place], real[other]] = [real[other], real[place]];
      [imaginary[place], imaginary[other]] = [imaginary[other], imaginary[place]];
    }
  }
  for (let length = 2; length <= size; length *= 2) {
    const half = length / 2;
    for (let turn = 0; turn < half; turn += 1) {
      const cosine = Math.cos((-2 * Math.PI * turn) / length);
      const sine = Math.sin((-2 * Math.PI * turn) / length);
      for (let even = turn; even < size; even += length) {
        const odd = even + half;
        const re = real[odd] * cosine - imaginary[odd] * sine;
        const im = real[odd] * sine + imaginary[odd] * cosine;
        real[odd] = real[even] - re;
        imaginary[odd] = imaginary[even] - im;
        real[even] += re;
        imaginary[even] += im;
      }
    }
  }
}
