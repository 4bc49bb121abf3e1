// Small helpers to build the page: all content goes in as text, never as markup.

export const byId = (id) => document.getElementById(id);

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function announce(text) {
  // A screen reader repeats a message only if the text changes.
  const region = byId("live");
  region.textContent = region.textContent === text ? `${text}\u00a0` : text;
}

// Settings that the browser stores between visits. Browsers with storage turned off throw.
export function loadSetting(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

export function saveSetting(key, text) {
  try {
    localStorage.setItem(key, text);
    return true;
  } catch {
    return false;
  }
}

export function bytesOf(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

// A time in milliseconds below 1 s, in seconds below a minute, else in minutes. `scale` sets the unit: give the length
// of a sound to write a position in the unit of its length.
export function clock(seconds, scale = seconds) {
  if (Math.round(scale * 1000) < 1000) return `${Math.round(seconds * 1000)} ms`;
  if (Math.round(scale * 100) < 1000) return `${seconds.toFixed(2)} s`;
  if (Math.round(scale * 10) < 600) return `${seconds.toFixed(1)} s`;
  const tenths = Math.round(seconds * 10);
  return `${Math.floor(tenths / 600)}:${((tenths % 600) / 10).toFixed(1).padStart(4, "0")}`;
}

export function number(value, digits = 1) {
  if (value === null || value === undefined) return "–";
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "\u2212");
}

export function signed(value, digits = 1) {
  const text = number(value, digits);
  return Number(text) > 0 ? `+${text}` : text;
}
