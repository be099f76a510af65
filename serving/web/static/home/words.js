/** Plain words for what the interface says in names and numbers. */

/** Candidate generators: how they find titles. */
export const SOURCES = {
  continue_watching: "Begun and not finished",
  als: "People with your taste watch it",
  two_tower: "It is about what you like",
  similar: "Like a title you finished",
  trending_in_country: "Trending in your country",
  trending: "Trending everywhere",
  popularity: "Popular in your country and language",
  new_titles: "New on the service",
  catalogue: "It is in the catalogue",
};

export const ROW_NOTES = {
  continue_watching: "Begun, latest first",
  top_picks: "What the ranker expects you to like best",
  because_you_watched: "Neighbours of a title you finished",
  trending_now: "What is played most right now",
  new_releases: "Latest arrivals first",
  genre: "One of your strongest genres",
};

const DISPLACED = {
  not_proposed: "No generator proposed it for this member.",
  merge: "It was proposed, but fell out when the proposals were merged and cut to 500.",
  outranked: "Titles that the ranker puts higher fill the rows it could have stood in.",
  similar_titles: "The page holds titles much like it already.",
  franchise_cap: "The page holds enough titles of its franchise already.",
  exchanged: "It gave its place to a title of another kind, for variety.",
};

const FILTERS = {
  not_available: "it is not on the service at this hour",
  country: "it is not offered in the member's country",
  maturity: "it is above the profile's maturity limit",
  hidden: "the member gave it a thumb down",
  watched: "the member has watched it",
};

/** @param {string} source @returns {string} */
export const sourceInWords = (source) => /** @type {any} */ (SOURCES)[source] ?? source.replaceAll("_", " ");

/**
 * @param {string[]} filters
 * @returns {string} why a title may not be shown
 */
export const filtersInWords = (filters) =>
  `Not shown: ${filters.map((filter) => /** @type {any} */ (FILTERS)[filter] ?? filter).join("; ")}.`;

/** @param {string} reason @returns {string} why a candidate is not on the page */
export function displacedInWords(reason) {
  if (reason.startsWith("genre_cap")) return `The page holds enough titles of a genre already (${reason.split(": ")[1]}).`;
  return /** @type {any} */ (DISPLACED)[reason] ?? reason;
}

/** @param {number} share 0 to 1 @returns {string} */
export function percent(share) {
  const value = share * 100;
  return `${value >= 10 || value === 0 ? Math.round(value) : value.toFixed(1)} %`;
}

/** @param {number} minutes @returns {string} */
export function runtime(minutes) {
  const whole = Math.round(minutes);
  const hours = Math.floor(whole / 60);
  return hours ? `${hours} h ${whole % 60} min` : `${whole} min`;
}

/** @param {number} ms @returns {string} */
export const milliseconds = (ms) => (ms < 1000 ? `${Math.max(1, Math.round(ms))} ms` : `${(ms / 1000).toFixed(1)} s`);

/**
 * @param {import("./titles.js").Facts} facts
 * @returns {string[]} year, kind, length, age
 */
export function metaOf(facts) {
  const kinds = { movie: "Film", series: "Series", short: "Short" };
  return [
    facts.release_year === null ? "" : String(facts.release_year),
    facts.title_type === null ? "" : kinds[facts.title_type],
    facts.runtime_minutes === null ? "" : runtime(facts.runtime_minutes),
    facts.maturity_level === null ? "" : facts.maturity_level === 0 ? "All ages" : `${facts.maturity_level}+`,
  ].filter(Boolean);
}

/**
 * @param {"region"|"language"} type
 * @param {string|null} code
 * @returns {string} the name of a country or language
 */
export function nameOf(type, code) {
  if (!code) return "";
  try {
    return new Intl.DisplayNames(["en"], { type }).of(code) ?? code;
  } catch {
    return code;
  }
}

/** @param {string} text @returns {string} the text, to begin a sentence with */
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
