/** What is shown where a page cannot be. */

import { ApiError } from "./api.js";
import { h, icon } from "./dom.js";

/**
 * @param {unknown} error
 * @param {() => void} again
 * @param {(why: string) => void} key
 * @returns {HTMLElement}
 */
export function trouble(error, again, key) {
  const status = error instanceof ApiError ? error.status : -1;
  const needsKey = error instanceof ApiError && error.needsKey;
  const detail = error instanceof Error ? error.message : String(error);
  const title = needsKey ? "A key is needed" : status === 0 ? "Nobody answers" : "This page cannot be shown";
  return h("section", { className: "trouble", role: "alert" },
    h("h2", {}, title), h("p", {}, detail),
    h("div", { className: "actions" },
      needsKey && h("button", { className: "button button-main", type: "button", onclick: () => key(detail) }, icon("key"), "Enter a key"),
      h("button", { className: needsKey ? "button" : "button button-main", type: "button", onclick: again }, "Try again")));
}
