/** The address holds who is looked at, on which device, at which hour: it can be shared, and "back" works. */

export const DEVICES = /** @type {const} */ ({ tv: "TV", mobile: "Phone", tablet: "Tablet", web: "Laptop" });

/**
 * @typedef {object} View
 * @property {string} member  "" for nobody yet
 * @property {string} device  one of DEVICES
 * @property {number|null} hour  0 to 23 UTC; null: now
 */

/** @returns {View} */
export function readView() {
  const query = new URLSearchParams(location.search);
  const device = query.get("device") ?? "";
  const hour = query.get("hour") ?? "";
  return {
    member: query.get("member") ?? "",
    device: device in DEVICES ? device : fittingDevice(),
    hour: /^([01]?\d|2[0-3])$/.test(hour) ? Number(hour) : null,
  };
}

/**
 * @param {View} view
 * @param {Record<string, string>} [more]
 * @returns {string} the query of a view, with its question mark
 */
export function queryOf(view, more = {}) {
  const query = new URLSearchParams();
  if (view.member) query.set("member", view.member);
  query.set("device", view.device);
  if (view.hour !== null) query.set("hour", String(view.hour));
  for (const [name, value] of Object.entries(more)) if (value) query.set(name, value);
  return `?${query}`;
}

/** @returns {string} the device that this window looks like */
function fittingDevice() {
  if (window.innerWidth >= 1800) return "tv";
  if (window.innerWidth >= 1000) return "web";
  return window.innerWidth >= 700 ? "tablet" : "mobile";
}

/**
 * The instant of a page: the next time that the hour comes, so that all that was watched lies before it.
 * @param {number|null} hour  0 to 23 UTC
 * @param {Date} now  the service's present
 * @returns {string|null} RFC 3339; null: the present
 */
export function instantOf(hour, now) {
  if (hour === null) return null;
  const at = new Date(now);
  at.setUTCHours(hour, 0, 0, 0);
  if (at < now) at.setUTCDate(at.getUTCDate() + 1);
  return at.toISOString();
}
