/** Tiles glide from where they stood to where they stand, unless the reader asked for less motion. */

const stillness = window.matchMedia("(prefers-reduced-motion: reduce)");
const GLIDE = { duration: 420, easing: "cubic-bezier(0.2, 0.7, 0.2, 1)" };

/** @returns {boolean} */
export const motionWanted = () => !stillness.matches;

/**
 * Return where the tiles in and near the window stand.
 * @param {Element} page
 * @returns {Map<string, DOMRect>}
 */
export function placesOnScreen(page) {
  const places = new Map();
  if (!motionWanted()) return places;
  for (const tile of page.querySelectorAll("[data-title-id]")) {
    const place = tile.getBoundingClientRect();
    const near = place.bottom > -place.height && place.top < window.innerHeight + place.height;
    if (near) places.set(/** @type {HTMLElement} */ (tile).dataset.titleId ?? "", place);
  }
  return places;
}

/**
 * Let tiles glide from where they stood; new ones appear.
 * @param {Element} page
 * @param {Map<string, DOMRect>} before
 */
export function glide(page, before) {
  if (!before.size || !motionWanted()) return;
  for (const [titleId, now] of placesOnScreen(page)) {
    const tile = page.querySelector(`[data-title-id="${CSS.escape(titleId)}"]`);
    const was = before.get(titleId);
    if (!was) tile?.animate([{ opacity: 0, transform: "scale(0.85)" }, { opacity: 1, transform: "none" }], GLIDE);
    else if (was.left !== now.left || was.top !== now.top) {
      const shift = `translate(${was.left - now.left}px, ${was.top - now.top}px)`;
      tile?.animate([{ transform: shift }, { transform: "none" }], GLIDE);
    }
  }
}
