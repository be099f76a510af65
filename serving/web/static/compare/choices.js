/** What a page can be made by: the member's own arms, a bundle, or an arm of a running experiment. */

import { get } from "../home/api.js";

/**
 * @typedef {{value: string, name: string, group: string}} Choice
 * A value is "own", "bundle:<alias or version>" or "arm:<layer>:<experiment>/<arm>".
 */

/** @type {Choice} */
export const OWN = { value: "own", name: "As the member gets it", group: "Served" };

/** @returns {Promise<Choice[]>} what there is; throws ApiError where the key does not do */
export async function choicesOf() {
  const [bundles, experiments] = await Promise.all([get("/v1/bundles"), get("/v1/experiments")]);
  return [
    OWN,
    ...bundles.body.bundles.filter((/** @type {any} */ one) => !one.damaged && !one.refused).flatMap(bundleChoices),
    ...experiments.body.experiments.filter((/** @type {any} */ one) => one.status === "running").flatMap(armChoices),
  ];
}

/** @param {any} bundle @returns {Choice[]} */
function bundleChoices(bundle) {
  const aliases = bundle.aliases.join(", ");
  return [{ value: `bundle:${bundle.version}`, name: aliases ? `${aliases}: ${bundle.version}` : bundle.version, group: "Bundles" }];
}

/** @param {any} experiment @returns {Choice[]} */
function armChoices(experiment) {
  const { name, layer, arms } = experiment.definition;
  return arms.map((/** @type {any} */ arm) => ({ value: `arm:${layer}:${name}/${arm.name}`, name: `${name}: ${arm.name}`, group: `Experiments, layer ${layer}` }));
}

/**
 * @param {string} value
 * @returns {Record<string, string>} the parameters that ask for such a page
 */
export function parametersOf(value) {
  if (value.startsWith("bundle:")) return { bundle: value.slice("bundle:".length) };
  if (value.startsWith("arm:")) return { arms: value.slice("arm:".length) };
  return {};
}
