// What the operations page is built of: tables, lists of terms, marks; text is only ever set as text.

import { h } from "../home/dom.js";

/**
 * A table. `columns`: {label, number?, row?} — `row` marks the cell that heads its row. Cells are texts or nodes.
 *
 * The roles say what the elements say by themselves, until a narrow window stacks a row's cells.
 */
export function table(caption, columns, rows, nothing) {
  if (rows.length === 0) return h("p", { className: "nothing", textContent: nothing });
  const head = h("tr", { role: "row" }, columns.map((c) => h(c.label ? "th" : "td", {
    role: c.label ? "columnheader" : "cell", scope: c.label ? "col" : null, textContent: c.label, className: c.number ? "number" : null,
  })));
  const body = rows.map((cells) => h("tr", { role: "row" }, cells.map((cell, place) => {
    const { row, number, label } = columns[place];
    const made = h(row ? "th" : "td", {
      role: row ? "rowheader" : "cell", scope: row ? "row" : null, className: number ? "number" : null, "data-label": label,
    });
    made.append(cell ?? "–");
    return made;
  })));
  return h("table", { role: "table" }, h("caption", { className: "hidden-heading", textContent: caption }),
    h("thead", { role: "rowgroup" }, head), h("tbody", { role: "rowgroup" }, body));
}

/** A list of terms with their values; `rows`: [term, value, note?]. */
export function terms(rows) {
  return h("dl", { className: "terms" }, rows.map(([term, value, note]) =>
    h("div", {}, h("dt", { textContent: term }),
      h("dd", {}, value, note ? h("span", { className: "note", textContent: note }) : null))));
}

/** A mark of a state: its word says it, its colour only repeats it. */
export const badge = (kind, text) => h("span", { className: `badge ${kind}`, textContent: text });

const shown = new WeakMap();

/** Show what `build` makes of `data`, unless the same is shown; whoever had the focus in it keeps it. */
export function show(container, data, build) {
  const text = JSON.stringify(data);
  if (shown.get(container) === text) return;
  shown.set(container, text);
  const focused = container.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
  container.replaceChildren(...[build(data)].flat());
  if (focused) container.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus();
}
