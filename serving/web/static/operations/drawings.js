// Small drawings: how a reading went, and where an interval lies. Their texts stand beside them.

import { svg } from "../home/dom.js";

const WIDTH = 160;
const HEIGHT = 36;

function drawing(className, width, height) {
  return svg("svg", {
    viewBox: `0 0 ${width} ${height}`, class: className, "aria-hidden": "true", preserveAspectRatio: "none",
  });
}

/** A line through values, the latest at the right end; null is a gap. `most` places fit. */
export function sparkline(values, most) {
  const made = drawing("sparkline", WIDTH, HEIGHT);
  const present = values.filter((value) => value !== null);
  const top = Math.max(...present, 0) || 1;
  const x = (place) => WIDTH - ((values.length - 1 - place) * WIDTH) / (most - 1);
  const y = (value) => HEIGHT - 2 - (value / top) * (HEIGHT - 6);
  let line = "";
  let first = null;
  values.forEach((value, place) => {
    if (value === null) {
      line = line && `${line} `;
      return;
    }
    first ??= x(place);
    const begins = place === 0 || values[place - 1] === null;
    line += `${begins ? "M" : "L"}${x(place).toFixed(1)} ${y(value).toFixed(1)}`;
  });
  made.append(svg("path", { d: `M0 ${HEIGHT - 1}H${WIDTH}`, class: "ground" }));
  if (present.length > 1) {
    if (present.length === values.length) {
      made.append(svg("path", { d: `${line}L${WIDTH} ${HEIGHT}L${first.toFixed(1)} ${HEIGHT}Z`, class: "area" }));
    }
    made.append(svg("path", { d: line, class: "line" }));
  }
  return made;
}

/** An interval about its value, against zero; all shares. `reach` is what both ends of the drawing stand for. */
export function interval(low, value, high, reach) {
  const made = drawing("interval", WIDTH, 18);
  const x = (at) => (WIDTH * (Math.max(-reach, Math.min(reach, at)) + reach)) / (2 * reach);
  const kind = low > 0 ? "above" : high < 0 ? "below" : "across";
  made.append(
    svg("path", { d: `M${WIDTH / 2} 0V18`, class: "zero" }),
    svg("path", { d: `M${x(low)} 9H${x(high)}`, class: `range ${kind}` }),
    svg("path", { d: `M${x(value)} 4V14`, class: `value ${kind}` }),
  );
  return made;
}

/** A bar for a share of 1. */
export function bar(value) {
  const made = drawing("bar", 100, 6);
  made.append(svg("rect", { width: 100, height: 6, rx: 3, class: "ground" }));
  if (value > 0) made.append(svg("rect", { width: Math.max(1.5, value * 100), height: 6, rx: 3, class: "filled" }));
  return made;
}
