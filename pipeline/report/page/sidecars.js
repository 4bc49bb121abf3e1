// Sidecars: scripts beside the page that hand it pictures, sounds and details, since a page from disk may load
// scripts and no data. Each is loaded when it is first asked for.
import { report } from "./data.js";

const waiting = new Map();
const loaded = new Map();

globalThis.cuesmith = {
  picture: (name, value) => arrive(`picture ${name}`, value),
  sound: (name, value) => arrive(`sound ${name}`, value),
  details: (name, value) => arrive(`details ${name}`, value),
  latest: (name, value) => arrive(`latest ${name}`, value),
};

export const loadPicture = (pcm) => load(`picture ${pcm}`, `${report.cache}/${pcm.slice(0, 2)}/${pcm}.js`);

export const loadSound = (pcm) => load(`sound ${pcm}`, `${report.cache}/${pcm.slice(0, 2)}/${pcm}.loop.js`, false);

// The number of the latest version, as it is now.
export const loadLatest = () => load("latest version", `../latest.js?${Date.now()}`, false);

export async function loadDetails(master) {
  const chunk = String(Math.floor(master.index / report.details)).padStart(3, "0");
  const part = await load(`details ${chunk}`, `details-${chunk}.js`);
  return part[master.index % report.details];
}

function load(key, address, keep = true) {
  if (!loaded.has(key)) {
    loaded.set(key, new Promise((resolve, reject) => request(key, address, resolve, reject)));
    loaded.get(key).then(() => keep || loaded.delete(key), () => loaded.delete(key));
  }
  return loaded.get(key);
}

function request(key, address, resolve, reject) {
  const script = document.createElement("script");
  script.src = address;
  waiting.set(key, resolve);
  script.onload = () => {
    script.remove();
    if (waiting.delete(key)) reject(new Error(`${address} is damaged; run cuesmith report again`));
  };
  script.onerror = () => {
    script.remove();
    waiting.delete(key);
    reject(new Error(`${address} cannot be loaded; keep the report's folder together, or run cuesmith report again`));
  };
  document.head.append(script);
}

function arrive(key, value) {
  const resolve = waiting.get(key);
  waiting.delete(key);
  resolve?.(value);
}
