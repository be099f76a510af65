/** What titles are: asked for once, kept for as long as the page is open. */

import { get, inPath } from "./api.js";

/**
 * @typedef {object} Facts
 * @property {string} title_id
 * @property {string} name
 * @property {number|null} release_year
 * @property {number|null} runtime_minutes
 * @property {"movie"|"series"|"short"|null} title_type
 * @property {number|null} maturity_level
 * @property {string|null} original_language
 * @property {string[]} genres
 * @property {string|null} available_since
 */

const MOST_AT_ONCE = 100;
/** @type {Map<string, Facts>} */
const known = new Map();

/**
 * Return the facts of titles by id; a title that the server does not know is left out.
 * @param {Iterable<string>} ids
 * @returns {Promise<Map<string, Facts>>}
 */
export async function factsOf(ids) {
  const missing = [...new Set(ids)].filter((id) => !known.has(id) && !id.includes(","));
  const batches = [];
  for (let begin = 0; begin < missing.length; begin += MOST_AT_ONCE) {
    batches.push(get("/v1/titles", { ids: missing.slice(begin, begin + MOST_AT_ONCE).join(",") }));
  }
  for (const answer of await Promise.all(batches)) remember(answer.body.titles);
  return known;
}

/** @param {Facts[]} titles */
export function remember(titles) {
  for (const title of titles) known.set(title.title_id, title);
}

/**
 * Facts of a title of which only the name is known, so that a tile can always be drawn.
 * @param {string} titleId
 * @param {string} name
 * @returns {Facts}
 */
export function factsOr(titleId, name) {
  return (
    known.get(titleId) ?? {
      title_id: titleId, name, release_year: null, runtime_minutes: null, title_type: null,
      maturity_level: null, original_language: null, genres: [], available_since: null,
    }
  );
}

/** @param {string} titleId @returns {Promise<Facts & {cast: string[], synopsis: string|null}>} */
export async function detailsOf(titleId) {
  return (await get(`/v1/titles/${inPath(titleId)}`)).body;
}
