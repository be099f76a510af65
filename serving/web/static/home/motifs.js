/** Patterns of posters. Each fills a w × h field from a source of numbers, with an ink for each of its parts. */

import { svg } from "./dom.js";

/**
 * @typedef {object} Field
 * @property {number} w
 * @property {number} h
 * @property {() => number} next  numbers in [0, 1)
 * @property {string} middle
 * @property {string} light
 * @property {string} second
 * @property {string} ground
 */

/** @param {Field} f @param {number} from @param {number} to */
const between = (f, from, to) => from + f.next() * (to - from);
/** @param {number} n */
const r = (n) => Math.round(n * 10) / 10;
/** @param {number} cx @param {number} cy @param {number} radius @param {Record<string, string|number>} more */
const circle = (cx, cy, radius, more) => svg("circle", { cx: r(cx), cy: r(cy), r: r(radius), ...more });
/** @param {string} d @param {Record<string, string|number>} more */
const path = (d, more) => svg("path", { d, ...more });

/** @param {Field} f */
function sun(f) {
  const x = between(f, 0.25, 0.75) * f.w;
  const y = between(f, 0.24, 0.4) * f.h;
  const size = between(f, 0.16, 0.26) * Math.min(f.w, f.h);
  return [
    circle(x, y, size * 2.1, { fill: f.light, opacity: 0.12 }),
    circle(x, y, size * 1.5, { fill: f.light, opacity: 0.16 }),
    circle(x, y, size, { fill: f.light, opacity: 0.95 }),
  ];
}

/** Rolling layers under a sun. @param {Field} f */
function hills(f) {
  const layers = [0, 1, 2, 3].map((n) => {
    const base = f.h * (0.46 + n * 0.13);
    const swing = f.h * between(f, 0.04, 0.09);
    const shift = f.next() * f.w;
    let d = `M0 ${f.h}V${r(base)}`;
    for (let step = 0; step <= 8; step++) {
      const x = (f.w / 8) * step;
      d += `L${r(x)} ${r(base + Math.sin((x + shift) / (f.w * 0.16)) * swing * (n % 2 ? 1 : 0.6))}`;
    }
    return path(`${d}V${f.h}Z`, { fill: n === 1 ? f.second : n === 3 ? f.ground : f.middle, opacity: [0.55, 0.34, 0.9, 0.96][n] });
  });
  return [...sun(f), ...layers];
}

/** Mountains, one before the other. @param {Field} f */
function peaks(f) {
  const layers = [0, 1, 2].map((n) => {
    const base = f.h * (0.5 + n * 0.14);
    let d = `M0 ${f.h}V${r(base)}`;
    const steps = 5 + n;
    for (let step = 0; step < steps; step++) {
      const width = f.w / steps;
      d += `L${r(width * (step + between(f, 0.35, 0.65)))} ${r(base - f.h * between(f, 0.08, 0.26 - n * 0.04))}`;
      d += `L${r(width * (step + 1))} ${r(base + f.h * between(f, -0.02, 0.04))}`;
    }
    return path(`${d}V${f.h}Z`, { fill: [f.second, f.middle, f.ground][n], opacity: [0.35, 0.85, 0.95][n] });
  });
  return [...sun(f), ...layers];
}

/** Rays from one point. @param {Field} f */
function beams(f) {
  const x = between(f, 0.2, 0.8) * f.w;
  const y = between(f, 0.3, 0.55) * f.h;
  const far = Math.hypot(f.w, f.h);
  const count = 14 + Math.floor(f.next() * 8);
  const turn = f.next();
  const rays = Array.from({ length: count }, (_, n) => {
    const from = ((n + turn) / count) * Math.PI * 2;
    const to = from + (Math.PI / count) * between(f, 0.5, 1.2);
    const edge = (/** @type {number} */ a) => `${r(x + Math.cos(a) * far)} ${r(y + Math.sin(a) * far)}`;
    return path(`M${r(x)} ${r(y)}L${edge(from)}L${edge(to)}Z`, { fill: n % 3 ? f.middle : f.second, opacity: n % 3 ? 0.75 : 0.4 });
  });
  const size = Math.min(f.w, f.h) * between(f, 0.13, 0.2);
  return [...rays, circle(x, y, size * 1.5, { fill: f.light, opacity: 0.2 }), circle(x, y, size, { fill: f.light })];
}

/** Coloured quarter circles and squares. @param {Field} f */
function blocks(f) {
  const size = Math.min(f.w, f.h) / [2, 3, 3, 4][Math.floor(f.next() * 4)];
  const inks = [f.light, f.middle, f.second, f.middle];
  const parts = [];
  for (let y = 0; y < f.h * 0.75; y += size) {
    for (let x = 0; x < f.w; x += size) {
      const fill = inks[Math.floor(f.next() * inks.length)];
      const kind = Math.floor(f.next() * 5);
      const [a, b] = [r(x), r(y)];
      const s = r(size);
      if (kind === 0) parts.push(path(`M${a} ${b}h${s}a${s} ${s} 0 0 1 -${s} ${s}z`, { fill }));
      if (kind === 1) parts.push(path(`M${a} ${b}v${s}h${s}a${s} ${s} 0 0 0 -${s} -${s}z`, { fill }));
      if (kind === 2) parts.push(circle(x + size / 2, y + size / 2, size / 2.4, { fill }));
      if (kind === 3) parts.push(path(`M${a} ${b}h${s}l-${s} ${s}z`, { fill, opacity: 0.8 }));
    }
  }
  return parts;
}

/** Balloons. @param {Field} f */
function balloons(f) {
  const inks = [f.light, f.second, f.middle];
  return Array.from({ length: 9 }, (_, n) => {
    const size = Math.min(f.w, f.h) * between(f, 0.08, 0.24);
    return circle(f.next() * f.w, f.next() * f.h * 0.72, size, { fill: inks[n % 3], opacity: r(between(f, 0.55, 0.95)) });
  });
}

/** A town at night. @param {Field} f */
function skyline(f) {
  const parts = sun(f).slice(2);
  for (const layer of [0, 1]) {
    for (let x = -4; x < f.w; ) {
      const width = f.w * between(f, 0.1, 0.2);
      const top = f.h * between(f, layer ? 0.5 : 0.3, layer ? 0.72 : 0.62);
      parts.push(svg("rect", { x: r(x), y: r(top), width: r(width), height: r(f.h - top), fill: layer ? f.ground : f.middle, opacity: layer ? 0.94 : 0.8 }));
      for (let y = top + 8; layer && y < f.h * 0.92; y += 11) {
        for (let wx = x + 5; wx < x + width - 5; wx += 9) {
          if (f.next() < 0.3) parts.push(svg("rect", { x: r(wx), y: r(y), width: 3.5, height: 5, fill: f.next() < 0.7 ? f.light : f.second, opacity: 0.85 }));
        }
      }
      x += width + (layer ? 1.5 : 0);
    }
  }
  return parts;
}

/** Nested doorways. @param {Field} f */
function arches(f) {
  const x = f.w * between(f, 0.36, 0.64);
  const inks = [f.middle, f.second, f.middle, f.light];
  return [1, 0.74, 0.5, 0.28].map((part, n) => {
    const width = f.w * 0.86 * part;
    const top = f.h * (0.1 + (1 - part) * 0.36) + width / 2;
    const half = r(width / 2);
    return path(`M${r(x - width / 2)} ${f.h}V${r(top)}a${half} ${half} 0 0 1 ${r(width)} 0V${f.h}Z`, {
      fill: inks[n], opacity: [0.42, 0.4, 0.8, 0.95][n],
    });
  });
}

/** Light through blinds. @param {Field} f */
function blinds(f) {
  const slope = between(f, -0.3, 0.3) * f.h;
  const step = f.h / (11 + Math.floor(f.next() * 5));
  const parts = [...sun(f).slice(0, 3)];
  for (let y = -Math.abs(slope); y < f.h + Math.abs(slope); y += step) {
    const thick = step * between(f, 0.4, 0.72);
    parts.push(path(`M0 ${r(y)}L${f.w} ${r(y + slope)}v${r(thick)}L0 ${r(y + thick)}Z`, { fill: f.middle, opacity: r(between(f, 0.55, 0.95)) }));
  }
  return parts;
}

/** Flowers of circles. @param {Field} f */
function petals(f) {
  const parts = [];
  for (const [cx, cy, size, leaves] of [
    [between(f, 0.3, 0.7), between(f, 0.28, 0.42), 0.3, 8],
    [between(f, 0, 1), between(f, 0.55, 0.8), 0.2, 6],
  ]) {
    const radius = Math.min(f.w, f.h) * size;
    const turn = f.next() * Math.PI;
    for (let leaf = 0; leaf < leaves; leaf++) {
      const angle = turn + (leaf / leaves) * Math.PI * 2;
      parts.push(circle(cx * f.w + Math.cos(angle) * radius * 0.62, cy * f.h + Math.sin(angle) * radius * 0.62, radius * 0.56, { fill: leaf % 2 ? f.middle : f.second, opacity: 0.5 }));
    }
    parts.push(circle(cx * f.w, cy * f.h, radius * 0.42, { fill: f.light }));
  }
  return parts;
}

/** Teeth from above and below. @param {Field} f */
function spikes(f) {
  const parts = sun(f);
  for (const [from, fill, opacity] of /** @type {[number, string, number][]} */ ([[0, f.middle, 0.95], [1, f.ground, 0.97]])) {
    const count = 6 + Math.floor(f.next() * 4);
    for (let n = 0; n < count; n++) {
      const x = (f.w / count) * n;
      const length = f.h * between(f, 0.16, from ? 0.42 : 0.34);
      const d = from
        ? `M${r(x)} ${f.h}l${r(f.w / count / 2)} -${r(length)}l${r(f.w / count / 2)} ${r(length)}Z`
        : `M${r(x)} 0l${r(f.w / count / 2)} ${r(length)}l${r(f.w / count / 2)} -${r(length)}Z`;
      parts.push(path(d, { fill, opacity }));
    }
  }
  return parts;
}

/** Sound. @param {Field} f */
function bars(f) {
  const count = 11;
  const width = f.w / count;
  return Array.from({ length: count }, (_, n) => {
    const height = f.h * (0.12 + 0.5 * Math.abs(Math.sin(n * 0.7 + f.next() * 1.6)));
    return svg("rect", { x: r(n * width + width * 0.15), y: r(f.h * 0.42 - height / 2), width: r(width * 0.7), height: r(height), rx: r(width * 0.35), fill: [f.middle, f.second, f.light][Math.floor(f.next() * 3)], opacity: 0.9 });
  });
}

/** Waves, one before the other. @param {Field} f */
function waves(f) {
  const length = f.w * between(f, 0.22, 0.4);
  return Array.from({ length: 9 }, (_, n) => {
    const y = f.h * (0.1 + n * 0.085);
    const swing = f.h * (0.02 + 0.005 * n);
    let d = "";
    for (let step = -1; step <= 25; step++) {
      const x = (f.w / 24) * step;
      d += `${d ? "L" : "M"}${r(x)} ${r(y + Math.sin(x / length + n * 0.5) * swing)}`;
    }
    return path(d, { fill: "none", stroke: n % 3 === 1 ? f.second : n % 3 ? f.middle : f.light, "stroke-width": r(f.h * 0.014 + n * 0.5), opacity: 0.85 });
  });
}

/** Lights from above. @param {Field} f */
function spotlights(f) {
  const cones = [0.15, 0.5, 0.85].map((x, n) => {
    const to = between(f, 0.2, 0.8) * f.w;
    const wide = f.w * between(f, 0.14, 0.24);
    return path(`M${r(x * f.w)} ${r(-f.h * 0.05)}L${r(to - wide)} ${f.h}H${r(to + wide)}Z`, { fill: [f.light, f.second, f.middle][n], opacity: [0.34, 0.3, 0.75][n] });
  });
  const x = between(f, 0.3, 0.7) * f.w;
  return [...cones, svg("ellipse", { cx: r(x), cy: r(f.h * 0.62), rx: r(f.w * 0.36), ry: r(f.h * 0.05), fill: f.light, opacity: 0.75 })];
}

/** Circles within circles. @param {Field} f */
function rings(f) {
  const x = between(f, 0.3, 0.7) * f.w;
  const y = between(f, 0.3, 0.44) * f.h;
  const size = Math.min(f.w, f.h) * 0.11;
  return [6, 5, 4, 3, 2].map((n) => circle(x, y, size * n * 0.92, { fill: n % 2 ? f.middle : f.ground, opacity: 0.55, stroke: f.second, "stroke-width": 0.6 })).concat(circle(x, y, size, { fill: f.light }));
}

/** A planet and its moons. @param {Field} f */
function orbits(f) {
  const stars = Array.from({ length: 46 }, () => circle(f.next() * f.w, f.next() * f.h * 0.8, between(f, 0.3, 1.1), { fill: "#fff", opacity: r(between(f, 0.3, 0.9)) }));
  const x = between(f, 0.25, 0.75) * f.w;
  const y = between(f, 0.28, 0.42) * f.h;
  const size = Math.min(f.w, f.h) * between(f, 0.17, 0.25);
  const tilt = Math.round(between(f, -32, 32));
  const ring = (/** @type {number} */ n, /** @type {string} */ stroke) =>
    svg("ellipse", { cx: r(x), cy: r(y), rx: r(size * n), ry: r(size * n * 0.27), fill: "none", stroke, "stroke-width": 1.6, opacity: 0.85, transform: `rotate(${tilt} ${r(x)} ${r(y)})` });
  return [
    ...stars, circle(x, y, size * 1.4, { fill: f.middle, opacity: 0.35 }), circle(x, y, size, { fill: f.middle }),
    circle(x - size * 0.22, y - size * 0.22, size * 0.72, { fill: f.light, opacity: 0.35 }), ring(1.6, f.light), ring(2, f.second),
  ];
}

/** Lanes of a track. @param {Field} f */
function lanes(f) {
  const lean = between(f, 0.35, 0.8) * f.w;
  return Array.from({ length: 8 }, (_, n) => {
    const x = f.w * (-0.5 + n * 0.24);
    return path(`M${r(x)} ${f.h}L${r(x + lean)} 0h${r(f.w * 0.1)}L${r(x + f.w * 0.1)} ${f.h}Z`, { fill: [f.middle, f.light, f.middle, f.second][n % 4], opacity: n % 4 === 1 ? 0.95 : 0.7 });
  });
}

/** A cut stone. @param {Field} f */
function facets(f) {
  const x = between(f, 0.35, 0.65) * f.w;
  const y = between(f, 0.3, 0.45) * f.h;
  const count = 9;
  const edge = Array.from({ length: count }, (_, n) => {
    const angle = (n / count) * Math.PI * 2;
    const far = Math.min(f.w, f.h) * between(f, 0.36, 0.62);
    return [x + Math.cos(angle) * far, y + Math.sin(angle) * far];
  });
  return edge.map(([ex, ey], n) => {
    const [nx, ny] = edge[(n + 1) % count];
    return path(`M${r(x)} ${r(y)}L${r(ex)} ${r(ey)}L${r(nx)} ${r(ny)}Z`, { fill: [f.middle, f.light, f.second][n % 3], opacity: r(between(f, 0.35, 0.9)) });
  });
}

/** @type {Record<string, (field: Field) => SVGElement[]>} */
export const MOTIFS = {
  arches, balloons, bars, beams, blinds, blocks, facets, hills, lanes, orbits, peaks, petals, rings, skyline,
  spikes, spotlights, waves,
};
