// The search language: words, "phrases", -without, comparisons such as duration>5, and fields such as tag:wood.

// Each number: its value, the units that a search may write with it, and how close a value counts as equal.
const NUMBERS = {
  duration: { of: (master) => master.seconds, units: { s: 1, ms: 0.001, min: 60 }, near: 0.0005 },
  lufs: { of: (master) => master.lufs, units: { lufs: 1 }, near: 0.05 },
  off: { of: (master) => master.off, units: { lu: 1 }, near: 0.05 },
  peak: { of: (master) => master.peak, units: { dbtp: 1 }, near: 0.05 },
  quality: { of: (master) => master.quality, units: {}, near: 0.005 },
};

const COMPARE = {
  "<": (a, b) => a < b,
  ">": (a, b) => a > b,
  "<=": (a, b, near) => a <= b + near,
  ">=": (a, b, near) => a >= b - near,
  "=": (a, b, near) => Math.abs(a - b) <= near,
};

// Each field of words; `closed` fields accept only the values that the version has.
const FIELDS = {
  name: { has: (master, value) => master.name.toLowerCase().includes(value) },
  prompt: { has: (master, value) => master.prompt.toLowerCase().includes(value) },
  tag: { has: (master, value) => master.tags.some((tag) => tag.toLowerCase() === value), closed: true },
  kind: { has: (master, value) => master.kind === value, closed: true },
  model: { has: (master, value) => master.modelFacts.model.toLowerCase().includes(value), closed: true, part: true },
  is: { has: (master, value, known) => known.is[value](master), closed: true },
};

const ALL = [...Object.keys(NUMBERS), ...Object.keys(FIELDS)];
const LISTED = 14;

export const HELP = [
  ["oak door", "both words, in the name, the prompt or the tags"],
  ["\"oak door\"", "exactly this phrase"],
  ["-oak", "without this word; a minus works before every term"],
  ["duration>5", "longer than 5 seconds; also duration<300ms, duration<=2min, duration=1"],
  ["lufs<-20", "quieter than -20 LUFS"],
  ["off>1", "more than 1 LU louder than the target; off<-1 for quieter"],
  ["peak>-1", "true peak above -1 dBTP"],
  ["quality<0.5", "quality score below 0.5"],
  ["tag:wood", "with this tag; tag:\"dry wood\" for one with a space"],
  ["kind:sfx", "of this kind"],
  ["model:small", "a part of the model's name"],
  ["name:door", "only in the name; prompt:door only in the prompt"],
  ["is:approved", "with this state; the chips show all states, such as is:unreviewed"],
];

// Returns a test for masters, and one text for each term that is wrong; the test ignores these terms.
// `known` has the values of each closed field: lists, and for `is` an object of tests by word.
export function parseQuery(text, known) {
  const tests = [];
  const problems = [];
  for (const written of text.replace(/[“”„]/g, "\"").match(/(?:[^\s"]|"[^"]*"?)+/g) ?? []) {
    if (!written.replace(/[-"]/g, "")) continue; // The beginning of a term.
    const negated = written.length > 1 && written.startsWith("-");
    const { test, problem } = parseTerm(negated ? written.slice(1) : written, known);
    if (problem) problems.push(`Ignored ${written} – ${problem}.`);
    else tests.push(negated ? (master) => !test(master) : test);
  }
  return { test: (master) => tests.every((test) => test(master)), problems };
}

function parseTerm(written, known) {
  const [, field, sign, value] = /^(\p{L}+)(:|<=|>=|<|>|=)(.*)$/su.exec(written.toLowerCase()) ?? [];
  if (/^[<>=]+[-+\d.]/.test(written)) return { problem: `write the field before it, without a space, such as duration${written}` };
  const plain = (value ?? written).replaceAll("\"", "").toLowerCase();
  if (!field) return { test: (master) => master.words.includes(plain) };
  if (Object.hasOwn(NUMBERS, field)) return comparison(field, sign, plain);
  if (Object.hasOwn(FIELDS, field)) return fieldTerm(field, sign, plain, known);
  return { problem: `no field is called ${field}. Fields: ${ALL.join(", ")}. To search for this text, put it in quotes` };
}

function comparison(field, sign, written) {
  const { of, units, near } = NUMBERS[field];
  const [, digits, unit] = /^([+\-\u2212]?(?:\d+\.?\d*|\.\d+))([a-z]*)$/.exec(written) ?? [];
  const factor = unit ? (Object.hasOwn(units, unit) ? units[unit] : undefined) : 1;
  if (sign === ":") return { problem: `use <, >, <=, >= or =, such as ${field}>${digits ?? 1}` };
  if (digits === undefined) return { problem: `after ${field}${sign} comes a number, such as ${field}${sign}1` };
  if (factor === undefined) return { problem: `${field} takes no ${unit}${Object.keys(units).length ? `; use ${Object.keys(units).join(", ")}` : ""}` };
  const limit = Number(digits.replace("\u2212", "-")) * factor;
  return { test: (master) => of(master) !== null && COMPARE[sign](of(master), limit, near) };
}

function fieldTerm(field, sign, value, known) {
  const { has, closed, part } = FIELDS[field];
  if (sign !== ":") return { problem: `write ${field}:${value}` };
  const values = closed ? valuesOf(known[field]) : [];
  const fits = (valid) => (part ? valid.toLowerCase().includes(value) : valid.toLowerCase() === value);
  if (!value && !closed) return { problem: `after ${field}: comes a text` };
  if (closed && !(value && values.some(fits))) return { problem: `after ${field}: comes one of: ${listed(values)}` };
  return { test: (master) => has(master, value, known) };
}

const valuesOf = (known) => (Array.isArray(known) ? known : Object.keys(known));

function listed(values) {
  const more = values.length - LISTED;
  return `${values.slice(0, LISTED).join(", ")}${more > 0 ? ` and ${more} more` : ""}` || "none";
}
