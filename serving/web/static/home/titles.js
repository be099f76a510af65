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
/** Servers take request lines of 4,094 bytes. */
const LONGEST_QUERY = 3000;
/** @type {Map<string, Facts>} */
const known = new Map();

/**
 * Return the facts of titles by id; a title that the server does not know is left out.
 * @param {Iterable<string>} ids
 * @returns {Promise<Map<string, Facts>>}
 */
export async function factsOf(ids) {
  const missing = [...new Set(ids)].filter((id) => !known.has(id) && !id.includes(","));
  const answers = batchesOf(missing).map((batch) => get("/v1/titles", { ids: batch.join(",") }));
  for (const answer of await Promise.all(answers)) remember(answer.body.titles);
  return known;
}

/**
 * @param {string[]} ids
 * @returns {string[][]} the ids, as many together as one request may name
 */
export function batchesOf(ids) {
  /** @type {string[][]} */
  const batches = [];
  let room = 0;
  for (const id of ids) {
    const length = encodeURIComponent(id).length + 3; // with its comma
    if (length > room || batches[batches.length - 1].length === MOST_AT_ONCE) {
      batches.push([]);
      room = LONGEST_QUERY;
    }
    batches[batches.length - 1].push(id);
    room -= length;
  }
  return batches;
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
