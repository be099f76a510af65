/** The bar of every page: member, device, hour, key. */

import { currentKey } from "./api.js";
import { DEVICES } from "./address.js";
import { closable } from "./dialogs.js";
import { h, icon } from "./dom.js";
import { askForKey } from "./keys.js";
import { memberChoice, memberLabel } from "./members.js";
import { signUp } from "./onboarding.js";

/** @typedef {import("./address.js").View} View */

const byId = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));

/** @typedef {import("./members.js").Choices} Choices */

/**
 * Fill the bar.
 * @param {(change: Partial<View>) => void} go  called with what was chosen
 * @param {() => void} again  called when a key was entered
 */
export function makeBar(go, again) {
  const [device, hour] = fillChoices();
  byId("key").addEventListener("click", () => key());
  device.addEventListener("change", () => go({ device: device.value }));
  hour.addEventListener("change", () => go({ hour: hour.value === "" ? null : Number(hour.value) }));
  byId("member").addEventListener("click", () => chooseMember(choices));

  /**
   * @param {string} [why]  what was refused
   * @param {() => void} [then]  what to do with a new key, instead of showing the page again
   */
  function key(why = "", then = again) {
    askForKey(() => { tellKey(); then(); }, why);
  }

  /** @type {(member: string) => void} */
  const choose = (member) => go({ member });
  /** @type {Choices} */
  const choices = { choose, signUp: () => signUp(choose, key), askForKey: key };

  /** Who can be looked at, for a page of nobody yet. */
  const choice = () => memberChoice(choices);

  return { tell, key, choice };
}

/** @returns {any[]} the choices of a device and an hour, filled */
function fillChoices() {
  const [device, hour] = ["device", "hour"].map(byId);
  device.append(...Object.entries(DEVICES).map(([value, name]) => h("option", { value }, name)));
  hour.append(h("option", { value: "" }, "Now"), ...Array.from({ length: 24 }, (_, n) => h("option", { value: String(n) }, `${String(n).padStart(2, "0")}:00 UTC`)));
  byId("compare").append(icon("columns"));
  byId("key").append(icon("key"));
  return [device, hour];
}

/**
 * Show what is chosen.
 * @param {View} view
 */
function tell(view) {
  byId("device").value = view.device;
  byId("hour").value = view.hour === null ? "" : String(view.hour);
  byId("member").replaceChildren(...memberLabel(view.member));
  byId("member").setAttribute("aria-label", view.member ? `Member ${view.member}: choose another` : "Choose a member");
  tellKey();
}

function tellKey() {
  byId("key").dataset.on = String(Boolean(currentKey()));
}

/**
 * Ask in a dialog, which closes with whatever is chosen.
 * @param {Choices} choices
 */
function chooseMember({ choose, signUp, askForKey }) {
  const dialog = closable("Who is watching?", [memberChoice({
    choose: (member) => { dialog.close(); choose(member); },
    signUp: () => { dialog.close(); signUp(); },
    askForKey: (why) => { dialog.close(); askForKey(why); },
  })], "wide");
}
