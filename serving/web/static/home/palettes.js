/** How each genre looks: three colours (ground, middle, light), some motifs and a typeface. */

/**
 * @typedef {object} Look
 * @property {[string, string, string]} colours  ground, middle, light
 * @property {string[]} motifs  of motifs.js; half of the titles have the first
 * @property {keyof typeof FACES} face
 */

/** Typefaces: families that most machines have, weight, and whether the title is set in capitals. */
export const FACES = {
  bold: { family: '"Arial Narrow", "Liberation Sans Narrow", "Helvetica Neue", sans-serif', weight: 700, capitals: true },
  serif: { family: 'Georgia, "Liberation Serif", "Times New Roman", serif', weight: 700, capitals: false },
  roman: { family: 'Georgia, "Liberation Serif", "Times New Roman", serif', weight: 400, capitals: true },
  round: { family: '"Trebuchet MS", "DejaVu Sans", Verdana, sans-serif', weight: 700, capitals: false },
  wide: { family: '"Helvetica Neue", "Liberation Sans", Arial, sans-serif', weight: 700, capitals: true },
  plain: { family: '"Helvetica Neue", "Liberation Sans", Arial, sans-serif', weight: 700, capitals: false },
};

/** @type {Record<string, Look>} */
const LOOKS = {
  Action: { colours: ["#2a0806", "#c2361f", "#ffb347"], motifs: ["beams", "facets", "lanes"], face: "bold" },
  Adventure: { colours: ["#0b2620", "#1c7a62", "#f6c667"], motifs: ["hills", "peaks", "waves"], face: "bold" },
  Animation: { colours: ["#27115c", "#7c46e8", "#ffd84d"], motifs: ["blocks", "balloons", "facets"], face: "round" },
  Anime: { colours: ["#1b1142", "#d0336f", "#7ee8fa"], motifs: ["beams", "orbits", "petals"], face: "wide" },
  Biography: { colours: ["#1d1815", "#7d5c3d", "#f0d9b5"], motifs: ["arches", "rings", "waves"], face: "serif" },
  Children: { colours: ["#0a3a66", "#2c94dd", "#ffe066"], motifs: ["balloons", "blocks", "hills"], face: "round" },
  Comedy: { colours: ["#4a1f08", "#ef8320", "#fff0a0"], motifs: ["blocks", "balloons", "facets"], face: "round" },
  Crime: { colours: ["#0b1017", "#33486a", "#e6b450"], motifs: ["skyline", "blinds", "rings"], face: "bold" },
  Documentary: { colours: ["#10201f", "#3b6e69", "#d7e8d8"], motifs: ["waves", "hills", "facets"], face: "plain" },
  Drama: { colours: ["#190f27", "#5f3c86", "#f0bcd0"], motifs: ["arches", "waves", "rings"], face: "serif" },
  Family: { colours: ["#0f3322", "#3fa873", "#ffe8a3"], motifs: ["balloons", "hills", "petals"], face: "round" },
  Fantasy: { colours: ["#130e3d", "#4b40bd", "#a6f0d8"], motifs: ["peaks", "orbits", "arches"], face: "roman" },
  "Film-Noir": { colours: ["#050506", "#45454c", "#ece9e0"], motifs: ["blinds", "skyline", "spotlights"], face: "roman" },
  "Food & Travel": { colours: ["#3b1508", "#cb573b", "#ffd9a0"], motifs: ["petals", "hills", "waves"], face: "serif" },
  History: { colours: ["#23190c", "#8d6b2d", "#f3dfa6"], motifs: ["arches", "peaks", "facets"], face: "roman" },
  Horror: { colours: ["#080305", "#6b0f1a", "#f2e3d5"], motifs: ["spikes", "rings", "blinds"], face: "roman" },
  Music: { colours: ["#230a35", "#b5179e", "#4cc9f0"], motifs: ["bars", "waves", "rings"], face: "wide" },
  Musical: { colours: ["#340c1f", "#d31658", "#ffcf56"], motifs: ["spotlights", "bars", "petals"], face: "roman" },
  Mystery: { colours: ["#091524", "#1f5078", "#9ad1f5"], motifs: ["rings", "blinds", "skyline"], face: "serif" },
  Nature: { colours: ["#062419", "#2c7c40", "#cdf29d"], motifs: ["hills", "petals", "peaks"], face: "plain" },
  Reality: { colours: ["#2e0b2f", "#d6449a", "#ffdff0"], motifs: ["facets", "spotlights", "blocks"], face: "wide" },
  Romance: { colours: ["#3b0c22", "#d64e70", "#ffd3c2"], motifs: ["petals", "hills", "arches"], face: "serif" },
  "Science Fiction": { colours: ["#040f26", "#0f6cb5", "#7cf5ff"], motifs: ["orbits", "rings", "skyline"], face: "wide" },
  Sport: { colours: ["#05261b", "#0b9454", "#f4ff61"], motifs: ["lanes", "beams", "bars"], face: "bold" },
  "Stand-Up": { colours: ["#26070b", "#a8161c", "#ffe3b8"], motifs: ["spotlights", "facets", "bars"], face: "bold" },
  "Talk Show": { colours: ["#0a1d3a", "#3560a5", "#ffb92e"], motifs: ["facets", "blocks", "skyline"], face: "plain" },
  Teen: { colours: ["#23104e", "#6b4cff", "#ff9fe5"], motifs: ["blocks", "bars", "balloons"], face: "plain" },
  Thriller: { colours: ["#081014", "#1e4a50", "#ff6a5c"], motifs: ["blinds", "skyline", "rings"], face: "bold" },
  War: { colours: ["#13150c", "#545f36", "#dccb92"], motifs: ["peaks", "beams", "spikes"], face: "bold" },
  Western: { colours: ["#2d1106", "#b9571d", "#ffcf87"], motifs: ["hills", "peaks", "beams"], face: "roman" },
};
/** @type {Look} */
const UNKNOWN = { colours: ["#12161f", "#414c61", "#c3cad6"], motifs: ["rings"], face: "plain" };

/**
 * The look of a title: that of its first genre with a second light of its last one, a little its own.
 * @param {string[]} genres
 * @param {() => number} next  numbers in [0, 1), of the title
 * @returns {{ground: string, middle: string, light: string, second: string, motif: string, face: typeof FACES[keyof typeof FACES]}}
 */
export function lookOf(genres, next) {
  const look = LOOKS[genres[0]] ?? UNKNOWN;
  const other = genres.length > 1 ? LOOKS[genres[genres.length - 1]] ?? look : look;
  const turn = (next() - 0.5) * 34;
  const lift = (next() - 0.5) * 9;
  const [ground, middle, light] = look.colours;
  const motif = next() < 0.5 ? look.motifs[0] : look.motifs[Math.floor(next() * look.motifs.length)];
  return {
    ground: shifted(ground, turn, 0), middle: shifted(middle, turn, lift), light: shifted(light, turn / 3, 0),
    second: shifted(other === look ? light : other.colours[2], turn / 2, other === look ? -14 : 0), motif, face: FACES[look.face],
  };
}

/**
 * @param {string} hex  "#rrggbb"
 * @param {number} turn  degrees of hue
 * @param {number} lift  percent of lightness
 * @returns {string} an hsl() colour
 */
function shifted(hex, turn, lift) {
  const [red, green, blue] = [1, 3, 5].map((place) => Number.parseInt(hex.slice(place, place + 2), 16) / 255);
  const most = Math.max(red, green, blue);
  const least = Math.min(red, green, blue);
  const span = most - least;
  const lightness = (most + least) / 2;
  const saturation = span === 0 ? 0 : span / (1 - Math.abs(2 * lightness - 1));
  let hue = 0;
  if (span > 0 && most === red) hue = ((green - blue) / span) % 6;
  else if (span > 0 && most === green) hue = (blue - red) / span + 2;
  else if (span > 0) hue = (red - green) / span + 4;
  const percent = (/** @type {number} */ part) => `${Math.round(Math.max(0, Math.min(100, part)))}%`;
  return `hsl(${Math.round(hue * 60 + turn + 360) % 360} ${percent(saturation * 100)} ${percent(lightness * 100 + lift)})`;
}
