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
  const turns = turnsOf(size);
  const shares = new Float32Array(BANDS * FRAMES);
  for (let frame = 0; frame < FRAMES; frame += 1) {
    const middle = Math.round((from + ((to - from) * (frame + 0.5)) / FRAMES) * wave.rate);
    const power = meanPower(wave.channels, middle - size / 2, hann, turns);
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

// Two real channels are one complex signal z: |X|² + |Y|² is the mean of |Z|² at a frequency and its negative.
function meanPower(channels, first, hann, turns) {
  const size = hann.length;
  const power = new Float64Array(size / 2 + 1);
  for (let pair = 0; pair < channels.length; pair += 2) {
    const [real, imaginary] = [windowed(channels[pair], first, hann), windowed(channels[pair + 1], first, hann)];
    transform(real, imaginary, turns);
    for (let bin = 0; bin < power.length; bin += 1) {
      const mirror = (size - bin) % size;
      power[bin] += (real[bin] ** 2 + imaginary[bin] ** 2 + real[mirror] ** 2 + imaginary[mirror] ** 2) / (2 * channels.length);
    }
  }
  return power;
}

function windowed(channel, first, hann) {
  const piece = new Float64Array(hann.length);
  const begin = Math.max(0, -first);
  const end = channel ? Math.min(hann.length, channel.length - first) : 0;
  for (let place = begin; place < end; place += 1) piece[place] = channel[first + place] * hann[place];
  return piece;
}

// exp(-2πi k / size) for the first half of k.
function turnsOf(size) {
  const angle = (_, turn) => (-2 * Math.PI * turn) / size;
  const angles = Float64Array.from({ length: size / 2 }, angle);
  return { cosines: angles.map(Math.cos), sines: angles.map(Math.sin) };
}

// The discrete Fourier transform in place, for a length that is a power of two (Cooley and Tukey, 1965).
function transform(real, imaginary, { cosines, sines }) {
  const size = real.length;
  for (let place = 1, other = 0; place < size; place += 1) {
    let bit = size >> 1;
    for (; other & bit; bit >>= 1) other ^= bit;
    other ^= bit;
    if (place < other) {
      const [re, im] = [real[place], imaginary[place]];
      real[place] = real[other];
      imaginary[place] = imaginary[other];
      real[other] = re;
      imaginary[other] = im;
    }
  }
  for (let half = 1; half < size; half *= 2) {
    const stride = size / 2 / half;
    for (let start = 0; start < size; start += 2 * half) {
      for (let turn = 0; turn < half; turn += 1) {
        const [even, odd] = [start + turn, start + turn + half];
        const cosine = cosines[turn * stride];
        const sine = sines[turn * stride];
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
