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

/**
 * Fill the bar.
 * @param {(change: Partial<View>) => void} go  called with what was chosen
 * @param {() => void} again  called when a key was entered
 */
export function makeBar(go, again) {
  const [member, device, hour] = ["member", "device", "hour"].map(byId);
  device.append(...Object.entries(DEVICES).map(([value, name]) => h("option", { value }, name)));
  hour.append(h("option", { value: "" }, "Now"), ...Array.from({ length: 24 }, (_, n) => h("option", { value: String(n) }, `${String(n).padStart(2, "0")}:00 UTC`)));
  byId("compare").append(icon("columns"));
  byId("key").append(icon("key"));
  byId("key").addEventListener("click", () => key());
  device.addEventListener("change", () => go({ device: device.value }));
  hour.addEventListener("change", () => go({ hour: hour.value === "" ? null : Number(hour.value) }));
  member.addEventListener("click", chooseMember);

  /**
   * @param {string} [why]  what was refused
   * @param {() => void} [then]  what to do with a new key, instead of showing the page again
   */
  function key(why = "", then = again) {
    askForKey(() => { tellKey(); then(); }, why);
  }

  function tellKey() {
    byId("key").dataset.on = String(Boolean(currentKey()));
  }

  function joinIn() {
    signUp((member) => go({ member }), key);
  }

  function chooseMember() {
    const dialog = closable("Who is watching?", [memberChoice({
      choose: (member) => { dialog.close(); go({ member }); },
      signUp: () => { dialog.close(); joinIn(); },
      askForKey: (why) => { dialog.close(); key(why); },
    })], "wide");
  }

  /**
   * Show what is chosen.
   * @param {View} view
   */
  function tell(view) {
    device.value = view.device;
    hour.value = view.hour === null ? "" : String(view.hour);
    member.replaceChildren(...memberLabel(view.member));
    member.setAttribute("aria-label", view.member ? `Member ${view.member}: choose another` : "Choose a member");
    tellKey();
  }

  /** Who can be looked at, for a page of nobody yet. */
  const choice = () => memberChoice({ choose: (member) => go({ member }), signUp: joinIn, askForKey: key });

  return { tell, key, choice };
}
