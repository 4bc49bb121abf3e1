// Drawing: small envelopes for the list; waveform, spectrogram and time ruler of a stretch of sound.
import { bytesOf } from "./dom.js";

const DRAWN = ["accent", "line", "soft", "wave", "wave-quiet", "wave-played", "head", "loop", ...[0, 1, 2, 3, 4, 5].map((place) => `over-${place}`)];
// As colours, not as words of the style sheet, which a canvas does not understand.
for (const name of DRAWN) CSS.registerProperty({ name: `--${name}`, syntax: "<color>", inherits: true, initialValue: "#000" });
const style = getComputedStyle(document.documentElement);
export const colour = (name) => style.getPropertyValue(name).trim();

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

// The columns of a stored picture: lowest and highest sample of each, -1 to 1.
export const storedColumns = (picture) =>
  (picture.columns ??= {
    low: Float32Array.from(bytesOf(picture.low), (magnitude) => -magnitude / 255),
    high: Float32Array.from(bytesOf(picture.high), (magnitude) => magnitude / 255),
  });

// Draws the stretch [from, to] in seconds. `columns` covers [columns.from, columns.to], by default all of it; `reach`
// says how far from the middle a level is drawn, 0 to 1; `levels` are lines, each with its level and its text.
export function drawWave(canvas, columns, { from = 0, to, loop, position, quiet, reach = Math.abs, levels = [], behind = [] }) {
  const { width, height, ratio } = fit(canvas);
  const pen = canvas.getContext("2d");
  const middle = height / 2;
  const frame = {
    pen, ratio, width, height,
    x: (seconds) => ((seconds - from) / (to - from)) * width,
    y: (sample) => middle - Math.sign(sample) * Math.min(1, reach(Math.abs(sample))) * (middle - 2),
  };
  pen.clearRect(0, 0, width, height);
  if (loop) {
    pen.fillStyle = colour("--loop");
    pen.fillRect(frame.x(loop[0]), 0, frame.x(loop[1]) - frame.x(loop[0]), height);
  }
  drawLevels(frame, levels);
  const split = position === null || position === undefined ? -1 : frame.x(position);
  const ahead = colour(quiet ? "--wave-quiet" : "--wave");
  const paint = (x) => (x < split && !quiet ? colour("--wave-played") : ahead);
  if (columns?.points) drawPoints(frame, columns.points, paint);
  else if (columns) drawColumns(frame, { from, to, ...columns }, paint);
  for (const other of behind) drawOutline(frame, { from, to, ...other.columns }, other.colour);
  if (loop) {
    pen.fillStyle = colour("--accent");
    for (const edge of loop) pen.fillRect(Math.min(width - 2, frame.x(edge)), 0, 2, height);
  }
  drawHead(pen, split, width, height);
}

function drawLevels({ pen, width, ratio, y }, levels) {
  pen.fillStyle = colour("--line");
  pen.fillRect(0, y(0), width, 1);
  pen.font = `${10 * ratio}px system-ui, sans-serif`;
  for (const { level, text } of levels) {
    for (const sign of [1, -1]) {
      pen.fillStyle = colour("--line");
      pen.fillRect(0, y(sign * level), width, 1);
      pen.fillStyle = colour("--soft");
      pen.fillText(text, width - pen.measureText(text).width - 4 * ratio, y(sign * level) + (sign > 0 ? 10 * ratio : -3 * ratio));
    }
  }
}

function drawColumns({ pen, ratio, x, y }, { from, to, low, high }, paint) {
  const step = (to - from) / high.length;
  const wide = Math.max(1, x(from + step) - x(from) - (high.length > 480 ? 0 : 0.4 * ratio));
  for (let column = 0; column < high.length; column += 1) {
    const left = x(from + column * step);
    const top = y(high[column]);
    pen.fillStyle = paint(left);
    pen.fillRect(left, top, wide, Math.max(1, y(low[column]) - top));
  }
}

// Single samples: a line for each channel, and dots where there is room.
function drawPoints({ pen, ratio, x, y }, { first, rate, channels }, paint) {
  const gap = x(1 / rate) - x(0);
  pen.lineWidth = 1.5 * ratio;
  for (const channel of channels) {
    for (let sample = 1; sample < channel.length; sample += 1) {
      const left = x((first + sample - 1) / rate);
      pen.strokeStyle = pen.fillStyle = paint(left);
      pen.beginPath();
      pen.moveTo(left, y(channel[sample - 1]));
      pen.lineTo(x((first + sample) / rate), y(channel[sample]));
      pen.stroke();
      if (gap > 6 * ratio) pen.fillRect(left - 2 * ratio, y(channel[sample - 1]) - 2 * ratio, 4 * ratio, 4 * ratio);
    }
  }
}

function drawOutline({ pen, ratio, x, y }, { from, to, low, high, points }, paint) {
  pen.strokeStyle = paint;
  pen.lineWidth = 1.25 * ratio;
  const sides = points ? points.channels : [high, low];
  for (const side of sides) {
    const place = points ? (index) => (points.first + index) / points.rate : (index) => from + ((index + 0.5) * (to - from)) / side.length;
    pen.beginPath();
    side.forEach((sample, index) => pen.lineTo(x(place(index)), y(sample)));
    pen.stroke();
  }
}

export const spectrumOf = async (picture) => (picture.image ??= await storedSpectrum(picture));

// Draws the part [from, to] of an image that covers [0, seconds], or another part that it names.
export function drawSpectrum(canvas, image, { from, to, position }) {
  const { width, height } = fit(canvas);
  const pen = canvas.getContext("2d");
  const scale = image.picture.width / (image.to - image.from);
  pen.imageSmoothingEnabled = true;
  pen.fillStyle = `rgb(${HEAT[0].join()})`;
  pen.fillRect(0, 0, width, height);
  const begin = Math.max(from, image.from);
  const end = Math.min(to, image.to);
  const x = (seconds) => ((seconds - from) / (to - from)) * width;
  if (end > begin) {
    pen.drawImage(image.picture, (begin - image.from) * scale, 0, (end - begin) * scale, image.picture.height, x(begin), 0, x(end) - x(begin), height);
  }
  if (position !== null && position !== undefined) drawHead(pen, x(position), width, height);
}

export function drawRuler(canvas, { from, to }) {
  const { width, height, ratio } = fit(canvas);
  const pen = canvas.getContext("2d");
  const least = ((to - from) * 76 * ratio) / width;
  const decade = 10 ** Math.floor(Math.log10(least));
  const step = decade * [1, 2, 5, 10].find((factor) => factor * decade >= least * 0.999);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  pen.clearRect(0, 0, width, height);
  pen.font = `${10 * ratio}px system-ui, sans-serif`;
  pen.fillStyle = colour("--soft");
  for (let tick = Math.ceil(from / step - 1e-6); tick * step <= to; tick += 1) {
    const x = ((tick * step - from) / (to - from)) * width;
    pen.fillRect(x, 0, 1, 4 * ratio);
    pen.fillText(`${(tick * step).toFixed(digits)} s`, x + 3 * ratio, height - 3 * ratio);
  }
}

function drawHead(pen, x, width, height) {
  if (x < 0 || x > width) return;
  pen.fillStyle = colour("--head");
  pen.fillRect(Math.min(width - 2, x), 0, 2, height);
}

async function storedSpectrum(picture) {
  const bitmap = await createImageBitmap(new Blob([bytesOf(picture.spectrogram)], { type: "image/png" }));
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const pen = canvas.getContext("2d");
  pen.drawImage(bitmap, 0, 0);
  const { data } = pen.getImageData(0, 0, bitmap.width, bitmap.height);
  return heatPicture(bitmap.width, bitmap.height, (pixel) => data[pixel * 4] / 255);
}

// A picture of shares, 0 to 1, row after row from the top.
export function heatPicture(width, height, share) {
  const pixels = new ImageData(width, height);
  for (let pixel = 0; pixel < width * height; pixel += 1) {
    pixels.data.set([...heat(share(pixel)), 255], pixel * 4);
  }
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(pixels, 0, 0);
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
