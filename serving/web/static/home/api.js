/** Calls of the HTTP interface, with the key that was entered for this tab. */

const KEY = "marquee-key";
const LONGEST_WAIT_MS = 15_000;

/** What went wrong, in words for people; `status` is 0 where the server did not answer. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} detail
   */
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }

  /** Whether another key would help. */
  get needsKey() {
    return this.status === 401 || this.status === 403;
  }
}

/** @returns {string} the key of this tab, "" for none */
export const currentKey = () => sessionStorage.getItem(KEY) ?? "";

/**
 * Keep a key for this tab, and no longer; "" forgets it.
 * @param {string} key
 */
export function keepKey(key) {
  if (key) sessionStorage.setItem(KEY, key);
  else sessionStorage.removeItem(KEY);
}

/**
 * @typedef {object} Answer
 * @property {any} body
 * @property {number} madeMs  what the server took, by its own account
 */

/**
 * Ask for something; throws {@link ApiError}.
 * @param {string} path
 * @param {Record<string, string|number|boolean|null|undefined>} [query]
 * @returns {Promise<Answer>}
 */
export function get(path, query = {}) {
  const named = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const search = new URLSearchParams(named.map(([name, value]) => [name, String(value)])).toString();
  return call(search ? `${path}?${search}` : path, { method: "GET" });
}

/**
 * Send something; throws {@link ApiError}.
 * @param {string} path
 * @param {unknown} body
 * @returns {Promise<Answer>}
 */
export function post(path, body) {
  return call(path, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "Content-Type": "application/json" },
  });
}

/**
 * @param {string} path
 * @param {RequestInit} request
 * @returns {Promise<Answer>}
 */
async function call(path, request) {
  const headers = new Headers(request.headers);
  const key = currentKey();
  if (key) headers.set("Authorization", `Bearer ${key}`);
  let response;
  try {
    const signal = AbortSignal.timeout(LONGEST_WAIT_MS);
    response = await fetch(path, { ...request, headers, cache: "no-store", signal });
  } catch {
    throw new ApiError(0, "The server does not answer. Is it running, and is this machine online?");
  }
  const body = await response.json().catch(() => null);
  if (!response.ok) throw new ApiError(response.status, body?.detail || `The server answered ${response.status}.`);
  const total = /(?:^|,\s*)total;dur=([\d.]+)/.exec(response.headers.get("Server-Timing") ?? "");
  return { body, madeMs: total ? Number(total[1]) : NaN };
}

/** @param {string} part @returns {string} part of a path */
export const inPath = (part) => encodeURIComponent(part);
