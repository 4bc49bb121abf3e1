// Drawing: small envelopes for the list, waveform and spectrogram of the open master.
import { bytesOf } from "./dom.js";

const style = getComputedStyle(document.documentElement);
const colour = (name) => style.getPropertyValue(name).trim();

export function fit(canvas) {
  const ratio = Math.min(2, devicePixelRatio || 1);
  const box = canvas.getBoundingClientRect();
  const width = Math.max(1, Math.round(box.width * ratio));
  const height = Math.max(1, Math.round(box.height * ratio));
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  return { width, height, ratio };
}

const thumbs = new Map();

export function drawThumb(canvas, text) {
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, canvas.width, canvas.height);
  if (!text) return;
  if (!thumbs.has(text)) thumbs.set(text, bytesOf(text));
  const peaks = thumbs.get(text);
  const step = canvas.width / peaks.length;
  const middle = canvas.height / 2;
  pen.fillStyle = colour("--wave");
  for (let column = 0; column < peaks.length; column += 1) {
    // By the root, so that a quiet sound has a shape too; the open master is drawn to scale.
    const reach = Math.max(1, Math.sqrt(peaks[column] / 255) * (middle - 1));
    pen.fillRect(column * step, middle - reach, Math.max(1, step - 0.5), reach * 2);
  }
}

export function drawWave(canvas, picture, { seconds, loop, position, quiet }) {
  const { width, height, ratio } = fit(canvas);
  const pen = canvas.getContext("2d");
  const low = (picture.lowBytes ??= bytesOf(picture.low));
  const high = (picture.highBytes ??= bytesOf(picture.high));
  const middle = height / 2;
  const step = width / high.length;
  pen.clearRect(0, 0, width, height);
  if (loop) {
    pen.fillStyle = colour("--loop");
    pen.fillRect((loop[0] / seconds) * width, 0, ((loop[1] - loop[0]) / seconds) * width, height);
  }
  pen.fillStyle = colour("--line");
  pen.fillRect(0, middle, width, 1);
  const split = ((position ?? 0) / seconds) * width;
  const ahead = colour(quiet ? "--wave-quiet" : "--wave");
  const played = colour("--wave-played");
  for (let column = 0; column < high.length; column += 1) {
    const x = column * step;
    pen.fillStyle = x < split && !quiet ? played : ahead;
    const top = middle - (high[column] / 255) * (middle - 2);
    const bottom = middle + (low[column] / 255) * (middle - 2);
    pen.fillRect(x, top, Math.max(1, step - 0.4 * ratio), Math.max(1, bottom - top));
  }
  if (loop) {
    pen.fillStyle = colour("--accent");
    for (const edge of loop) pen.fillRect(Math.min(width - 2, (edge / seconds) * width), 0, 2, height);
  }
  drawHead(pen, split, width, height, position);
}

export async function drawSpectrum(canvas, picture, { seconds, position }) {
  const image = (picture.image ??= await spectrumImage(picture));
  const { width, height } = fit(canvas);
  const pen = canvas.getContext("2d");
  pen.imageSmoothingEnabled = true;
  pen.clearRect(0, 0, width, height);
  pen.drawImage(image, 0, 0, width, height);
  drawHead(pen, ((position ?? 0) / seconds) * width, width, height, position);
}

function drawHead(pen, x, width, height, position) {
  if (position === undefined || position === null) return;
  pen.fillStyle = colour("--head");
  pen.fillRect(Math.min(width - 2, x), 0, 2, height);
}

async function spectrumImage(picture) {
  const bitmap = await createImageBitmap(new Blob([bytesOf(picture.spectrogram)], { type: "image/png" }));
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const pen = canvas.getContext("2d");
  pen.drawImage(bitmap, 0, 0);
  const pixels = pen.getImageData(0, 0, bitmap.width, bitmap.height);
  for (let place = 0; place < pixels.data.length; place += 4) {
    const [red, green, blue] = heat(pixels.data[place] / 255);
    pixels.data[place] = red;
    pixels.data[place + 1] = green;
    pixels.data[place + 2] = blue;
  }
  pen.putImageData(pixels, 0, 0);
  return canvas;
}

// From night blue over teal to a warm white: even steps of lightness, so that no band stands out by its hue alone.
const HEAT = [
  [13, 17, 28], [17, 40, 62], [16, 72, 92], [21, 109, 112], [63, 148, 118], [140, 184, 122], [217, 211, 148], [252, 243, 214],
];

function heat(share) {
  const place = Math.min(HEAT.length - 1.001, share * (HEAT.length - 1));
  const first = Math.floor(place);
  return HEAT[first].map((value, part) => value + (HEAT[first + 1][part] - value) * (place - first));
}
