/** Choosing who is looked at: members the service knows, anybody by id, or somebody new. */

import { ApiError, get } from "./api.js";
import { h, icon, svg } from "./dom.js";
import { numbersOf } from "./random.js";
import { nameOf } from "./words.js";

const SHOWN = 11; // with the newcomer a full last row at most widths

/**
 * @typedef {object} Choices
 * @property {(member: string) => void} choose
 * @property {() => void} signUp
 * @property {(why: string) => void} askForKey
 */

/**
 * Show who can be looked at.
 * @param {Choices} choices
 * @returns {HTMLElement}
 */
export function memberChoice({ choose, signUp, askForKey }) {
  const list = h("ul", { className: "people", role: "list", "aria-busy": "true" }, ...Array.from({ length: 6 }, () => h("li", { className: "person-waiting" })));
  const field = h("input", { id: "member-id", required: true, maxLength: 128, autocomplete: "off", spellcheck: false, placeholder: "m000001" });
  const choice = h(
    "div", { className: "choice" },
    list,
    h("form", { className: "by-id", onsubmit: (/** @type {SubmitEvent} */ event) => { event.preventDefault(); if (field.value.trim()) choose(field.value.trim()); } },
      h("label", { for: "member-id" }, "Somebody else, by member id"),
      h("div", { className: "field-line" }, field, h("button", { className: "button", type: "submit" }, "Show"))),
  );
  const newcomer = h("li", {}, h("button", { className: "person person-new", type: "button", onclick: signUp }, h("span", { className: "face face-new", "aria-hidden": "true" }, "+"), h("span", { className: "person-name" }, "New member"), h("span", { className: "person-taste" }, "Pick some titles")));
  void fillPeople(list, newcomer, choose, askForKey);
  return choice;
}

/**
 * @param {HTMLElement} list
 * @param {HTMLElement} newcomer
 * @param {(member: string) => void} choose
 * @param {(why: string) => void} askForKey
 */
async function fillPeople(list, newcomer, choose, askForKey) {
  try {
    const { body } = await get("/v1/members", { limit: SHOWN });
    list.replaceChildren(newcomer, ...body.members.map((/** @type {any} */ member) => person(member, choose)));
  } catch (error) {
    const detail = error instanceof ApiError ? error.message : String(error);
    const key = error instanceof ApiError && error.needsKey;
    list.replaceChildren(newcomer);
    list.after(h("p", { className: "notice", role: "status" }, `Members cannot be listed: ${detail} `,
      key && h("button", { className: "link", type: "button", onclick: () => askForKey(detail) }, "Enter a key")));
  } finally {
    list.removeAttribute("aria-busy");
  }
}

/**
 * @param {{user_id: string, country: string|null, language: string|null, watch_count: number, genres: string[]}} member
 * @param {(member: string) => void} choose
 */
function person(member, choose) {
  const place = [nameOf("region", member.country), `${member.watch_count} watched`].filter(Boolean).join(" · ");
  return h("li", {}, h("button", { className: "person", type: "button", onclick: () => choose(member.user_id) },
    face(member.user_id),
    h("span", { className: "person-name" }, member.user_id),
    h("span", { className: "person-taste" }, member.genres.slice(0, 2).join(", ") || "No taste known yet"),
    h("span", { className: "person-place" }, place)));
}

/**
 * A face of coloured shapes, always the same for a member.
 * @param {string} member
 * @returns {HTMLElement}
 */
export function face(member) {
  const next = numbersOf(member);
  const hue = Math.floor(next() * 360);
  const ink = (/** @type {number} */ turn, /** @type {number} */ light) => `hsl(${(hue + turn) % 360} 70% ${light}%)`;
  const at = () => 10 + next() * 44;
  const picture = svg("svg", { viewBox: "0 0 64 64", "aria-hidden": "true", focusable: "false" },
    svg("rect", { width: 64, height: 64, fill: ink(0, 34) }),
    svg("circle", { cx: at(), cy: at(), r: 26, fill: ink(40, 56), opacity: 0.9 }),
    svg("circle", { cx: at(), cy: at(), r: 16, fill: ink(180, 62), opacity: 0.85 }),
    svg("rect", { x: at() - 10, y: at() - 10, width: 18, height: 18, fill: ink(310, 74), opacity: 0.85, transform: `rotate(${Math.floor(next() * 90)} 32 32)` }));
  return h("span", { className: "face", "aria-hidden": "true" }, picture);
}

/** @param {string} member @returns {Node[]} what the button that opens the choice shows */
export const memberLabel = (member) => (member ? [face(member), h("span", {}, member)] : [icon("person"), h("span", {}, "Choose")]);
