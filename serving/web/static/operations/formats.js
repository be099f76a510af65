// Numbers, instants and ages as people read them.

const NOTHING = "–";
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const MINUS = "−";

const known = (value) => value !== null && value !== undefined && Number.isFinite(value);

export const count = (value) => (known(value) ? whole.format(value) : NOTHING);

export const decimal = (value, digits = 2) => (known(value) ? value.toFixed(digits) : NOTHING);

/** Milliseconds with as many digits as tell something. */
export function milliseconds(value) {
  if (!known(value)) return NOTHING;
  if (value >= 1000) return "≥ 1 s";
  return `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ms`;
}

/** A share from 0 to 1; what is there at all is never shown as 0. */
export function share(value) {
  if (!known(value)) return NOTHING;
  if (value === 0) return "0 %";
  if (value < 0.001) return "< 0.1 %";
  return `${(value * 100).toFixed(value < 0.1 ? 1 : 0)} %`;
}

export const signedShare = (value) =>
  known(value) ? `${value < 0 ? MINUS : "+"}${Math.abs(value * 100).toFixed(1)} %` : NOTHING;

export function rate(value) {
  if (!known(value)) return NOTHING;
  return value >= 10 ? whole.format(value) : value.toFixed(value === 0 ? 0 : 1);
}

export function age(seconds) {
  if (!known(seconds)) return NOTHING;
  if (seconds < 1) return "under 1 s";
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${(seconds / 3600).toFixed(1)} h`;
  return `${(seconds / 86_400).toFixed(1)} days`;
}

/** An RFC 3339 instant in UTC, to the minute. */
export const instant = (text) =>
  text ? `${new Date(text).toISOString().slice(0, 16).replace("T", " ")} UTC` : NOTHING;

export const day = (text) => (text ? new Date(text).toISOString().slice(0, 10) : NOTHING);
