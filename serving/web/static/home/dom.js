/** Building elements without markup in strings: nothing that a title is called can become code. */

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Node|string|null|false|undefined} Child */

/**
 * Make an element. `props` are properties (`className`, `textContent`), attributes for names with a dash, and
 * `on…` listeners; null leaves a property out, null and false an attribute. Children may come in lists.
 * @param {string} tag
 * @param {Record<string, unknown>} [props]
 * @param {...(Child|Child[])} children
 * @returns {any}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on") && typeof value === "function") {
      element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    } else if (name.includes("-") || ["role", "for", "list"].includes(name)) {
      if (value !== null && value !== false && value !== undefined) element.setAttribute(name, String(value));
    } else if (value !== null && value !== undefined) {
      /** @type {any} */ (element)[name] = value;
    }
  }
  element.append(...children.flat().filter((child) => child !== null && child !== false && child !== undefined));
  return element;
}

/**
 * Make an SVG element.
 * @param {string} tag
 * @param {Record<string, string|number>} [attributes]
 * @param {...Node} children
 * @returns {SVGElement}
 */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/**
 * Draw one of the page's icons; it is decoration, a name stands beside it.
 * @param {keyof typeof ICONS} name
 * @returns {SVGElement}
 */
export function icon(name) {
  return svg("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" }, svg("path", { d: ICONS[name] }));
}

const ICONS = {
  play: "M7 4.5v15l12-7.5z",
  up: "M12 5l7 8h-4.5v6h-5v-6H5z",
  down: "M12 19l-7-8h4.5V5h5v6H19z",
  like: "M2 10h4v11H2zM8 10l4.2-8c1.6 0 2.6 1.2 2.3 2.8L14 9h6.3c1.3 0 2.2 1.2 1.9 2.4l-2 7.8c-.2.9-1 1.8-2 1.8H8z",
  dislike:
    "M2 3h4v11H2zM8 14l4.2 8c1.6 0 2.6-1.2 2.3-2.8L14 15h6.3c1.3 0 2.2-1.2 1.9-2.4l-2-7.8C20 3.9 19.2 3 18.2 3H8z",
  close: "M5 6.4 6.4 5 12 10.6 17.6 5 19 6.4 13.4 12l5.6 5.6-1.4 1.4-5.6-5.6L6.4 19 5 17.6 10.6 12z",
  key: "M8 7a5 5 0 1 0 4.6 7H15v3h3v-3h2v3h3v-6H12.6A5 5 0 0 0 8 7zm0 3a2 2 0 1 1 0 4 2 2 0 0 1 0-4z",
  left: "M15.5 4 17 5.5 10.5 12l6.5 6.5-1.5 1.5L7.5 12z",
  right: "M8.5 4 7 5.5 13.5 12 7 18.5 8.5 20l8-8z",
  info: "M11 10h2v8h-2zm0-4h2v2.4h-2zM12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zm0 2a8 8 0 1 1 0 16 8 8 0 0 1 0-16z",
  person: "M12 12a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zm-8 9c.5-4.5 3.8-7 8-7s7.5 2.5 8 7z",
  columns: "M3 4h8v16H3zm10 0h8v16h-8z",
};
