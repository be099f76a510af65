/** Posters, drawn from what a title is: the genre's colours and motif, its id's pattern, its name and year. */

import { svg } from "./dom.js";
import { MOTIFS } from "./motifs.js";
import { FACES, lookOf } from "./palettes.js";
import { numbersOf } from "./random.js";

/** @typedef {import("./titles.js").Facts} Facts */

const WIDTH = 200;
const HEIGHT = 300;
const MARGIN = 14;
const SMALL_WORDS = new Set(["the", "a", "an", "of", "and", "in", "on", "at", "to", "de", "la", "le", "der", "die", "das"]);
const LARGEST = 40;
const SMALLEST = 15;
const MOST_LINES = 4;

let drawn = 0;
/** @type {CanvasRenderingContext2D|null} */
let ruler = null;

/**
 * A poster, 2 to 3. It is decoration: who places it names the title beside it.
 * @param {Facts} title
 * @returns {SVGElement}
 */
export function poster(title) {
  const { picture, look } = scene(title, WIDTH, HEIGHT);
  const { face } = look;
  const [name, part] = splitName(title.name);
  const lines = setLines(name, face);
  const foot = [title.genres[0], title.release_year].filter(Boolean).join(" · ").toUpperCase();
  let y = HEIGHT - MARGIN;
  if (foot) picture.append(text(foot, y, 9.5, face.family, 700, look.light, { "letter-spacing": 1.2 }));
  y -= foot ? 18 : 2;
  if (part) {
    const size = Math.min(15, fitting(part, FACES.plain, 15));
    picture.append(text(part, y, size, face.family, 400, "#fff", { "font-style": "italic" }));
    y -= size + 7;
  }
  for (const line of [...lines].reverse()) {
    picture.append(text(line.text, y, line.size, face.family, face.weight, "#fff", {}));
    y -= line.size * (line.small ? 1.15 : 1.02);
  }
  return picture;
}

/**
 * The wide picture behind a title, without its name.
 * @param {Facts} title
 * @returns {SVGElement}
 */
export function backdrop(title) {
  const { picture } = scene(title, 640, 360);
  picture.setAttribute("preserveAspectRatio", "xMidYMid slice");
  return picture;
}

/**
 * The picture without a name, and the look it was drawn in.
 * @param {Facts} title
 * @param {number} w
 * @param {number} h
 */
function scene(title, w, h) {
  const next = numbersOf(title.title_id);
  const look = lookOf(title.genres, next);
  const { ground, middle } = look;
  const id = `poster-${drawn++}`;
  const lean = Math.round(next() * 60 - 30);
  const art = svg("g", { class: "art" }, ...MOTIFS[look.motif]({ w, h, next, ...look }));
  const picture = svg(
    "svg", { class: "poster", viewBox: `0 0 ${w} ${h}`, "aria-hidden": "true", focusable: "false" },
    svg("defs", {},
      gradient(`${id}-sky`, [[0, middle, 1], [0.55, ground, 1], [1, ground, 1]], `rotate(${lean} .5 .5)`),
      gradient(`${id}-foot`, [[0, ground, 0], [0.62, ground, 0.86], [1, "#05060a", 0.97]]),
    ),
    svg("rect", { width: w, height: h, fill: ground }),
    svg("rect", { width: w, height: h, fill: `url(#${id}-sky)`, opacity: 0.75 }),
    art,
    svg("rect", { y: h * 0.4, width: w, height: h * 0.6, fill: `url(#${id}-foot)` }),
  );
  return { picture, look };
}

/**
 * @param {string} id
 * @param {[number, string, number][]} stops  offset, colour, opacity
 * @param {string} [transform]
 */
function gradient(id, stops, transform = "") {
  return svg(
    "linearGradient", { id, x1: 0, y1: 0, x2: 0, y2: 1, ...(transform ? { gradientTransform: transform } : {}) },
    ...stops.map(([offset, colour, opacity]) => svg("stop", { offset, "stop-color": colour, "stop-opacity": opacity })),
  );
}

/**
 * @param {string} content
 * @param {number} y
 * @param {number} size
 * @param {string} family
 * @param {number} weight
 * @param {string} fill
 * @param {Record<string, string|number>} more
 */
function text(content, y, size, family, weight, fill, more) {
  const element = svg("text", { x: MARGIN, y, "font-size": size, "font-family": family, "font-weight": weight, fill, ...more });
  element.textContent = content;
  return element;
}

/** @param {string} name @returns {[string, string]} a name and its part, as in "Name: Part" */
function splitName(name) {
  const at = name.indexOf(": ");
  return at > 0 ? [name.slice(0, at), name.slice(at + 2)] : [name, ""];
}

/**
 * Set a name as a poster does: small words small, the others as large as fits.
 * @param {string} name
 * @param {typeof FACES[keyof typeof FACES]} face
 * @returns {{text: string, size: number, small: boolean}[]}
 */
function setLines(name, face) {
  const words = (face.capitals ? name.toUpperCase() : name).split(/\s+/).filter(Boolean);
  const opening = words.length > 1 && SMALL_WORDS.has(words[0].toLowerCase()) ? words.shift() : undefined;
  const lines = wrapped(words, face);
  const size = Math.min(...lines.map((line) => fitting(line, face, LARGEST)));
  const set = lines.map((line) => ({ text: shortened(line, face, size), size, small: false }));
  return opening ? [{ text: opening, size: Math.max(13, size * 0.48), small: true }, ...set] : set;
}

/**
 * Break words into lines so that the largest type fits; two short words share a line.
 * @param {string[]} words
 * @param {typeof FACES[keyof typeof FACES]} face
 */
function wrapped(words, face) {
  const longest = Math.max(...words.map((word) => width(word, face, 10)));
  const most = Math.max(longest * 1.02, width(words.join(" "), face, 10) / MOST_LINES);
  /** @type {string[]} */
  const lines = [];
  for (const word of words) {
    const joined = lines.length ? `${lines[lines.length - 1]} ${word}` : word;
    if (lines.length && width(joined, face, 10) <= most) lines[lines.length - 1] = joined;
    else lines.push(word);
  }
  while (lines.length > MOST_LINES) lines.splice(-2, 2, lines.slice(-2).join(" "));
  return lines;
}

/**
 * @param {string} line
 * @param {typeof FACES[keyof typeof FACES]} face
 * @param {number} size
 */
function shortened(line, face, size) {
  let cut = line;
  while (cut.length > 4 && width(cut, face, size) > WIDTH - MARGIN) cut = `${cut.slice(0, -2).trimEnd()}…`;
  return cut;
}

/**
 * @param {string} line
 * @param {typeof FACES[keyof typeof FACES]} face
 * @param {number} largest
 * @returns {number} the largest size at which a line fits
 */
function fitting(line, face, largest) {
  const room = WIDTH - 2 * MARGIN;
  return Math.max(SMALLEST, Math.min(largest, (room / width(line, face, 10)) * 10));
}

/**
 * @param {string} line
 * @param {typeof FACES[keyof typeof FACES]} face
 * @param {number} size
 */
function width(line, face, size) {
  ruler ??= document.createElement("canvas").getContext("2d");
  if (ruler === null) return line.length * size * 0.6;
  ruler.font = `${face.weight} ${size}px ${face.family}`;
  return Math.max(ruler.measureText(line).width, 1);
}
