/** Dialogs: the browser's own, which keeps focus inside, closes with Escape and gives focus back. */

import { h, icon } from "./dom.js";

let opened = 0;

/**
 * Open a dialog with a heading and a button that closes it. It is removed when it closes.
 * @param {string} title
 * @param {(Node|string|null|false)[]} content
 * @param {string} kind  a class of its own
 * @returns {HTMLDialogElement}
 */
export function closable(title, content, kind) {
  const id = `dialog-${opened++}`;
  const dialog = h(
    "dialog", { className: `dialog ${kind}`, "aria-labelledby": id },
    h("div", { className: "dialog-body" },
      h("header", { className: "dialog-head" },
        h("h2", { id }, title),
        h("button", { className: "round", type: "button", "aria-label": "Close", onclick: () => dialog.close() }, icon("close"))),
      ...content),
  );
  dialog.addEventListener("click", (/** @type {MouseEvent} */ event) => {
    if (event.target === dialog) dialog.close(); // the backdrop
  });
  const before = document.activeElement;
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
