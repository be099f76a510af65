// Building elements; text is only ever set as text.

/** Make an element; `attributes` may hold `text`, `className`, `onclick` and any attribute. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") made.textContent = value;
    else if (name === "className") made.className = value;
    else if (name === "onclick") made.addEventListener("click", value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

/**
 * A table. `columns`: {label, number?, row?} — `row` marks the cell that heads its row. Cells are texts or nodes.
 *
 * The roles say what the elements say by themselves, until a narrow window stacks a row's cells.
 */
export function table(caption, columns, rows, nothing) {
  if (rows.length === 0) return element("p", { className: "nothing", text: nothing });
  const head = element("tr", { role: "row" }, columns.map((c) => element(c.label ? "th" : "td", {
    role: c.label ? "columnheader" : "cell", scope: c.label ? "col" : null, text: c.label, className: c.number ? "number" : null,
  })));
  const body = rows.map((cells) => element("tr", { role: "row" }, cells.map((cell, place) => {
    const { row, number, label } = columns[place];
    const made = element(row ? "th" : "td", {
      role: row ? "rowheader" : "cell", scope: row ? "row" : null, className: number ? "number" : null, "data-label": label,
    });
    made.append(cell ?? "–");
    return made;
  })));
  return element("table", { role: "table" }, element("caption", { className: "hidden-heading", text: caption }),
    element("thead", { role: "rowgroup" }, head), element("tbody", { role: "rowgroup" }, body));
}

/** A list of terms with their values; `rows`: [term, value, note?]. */
export function terms(rows) {
  return element("dl", { className: "terms" }, rows.map(([term, value, note]) =>
    element("div", {}, element("dt", { text: term }),
      element("dd", {}, value, note ? element("span", { className: "note", text: note }) : null))));
}

/** A mark of a state: its word says it, its colour only repeats it. */
export const badge = (kind, text) => element("span", { className: `badge ${kind}`, text });

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
