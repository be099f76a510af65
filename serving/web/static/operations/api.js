// The HTTP API, asked with the operator's key. The key lives in this tab's session storage and in a header, never
// in an address.

const KEY = "marquee.admin-key";

/** An answer that is an error: `status` 0 where nobody answered. */
export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

export const savedKey = () => sessionStorage.getItem(KEY) ?? "";
export const saveKey = (key) => sessionStorage.setItem(KEY, key);
export const forgetKey = () => sessionStorage.removeItem(KEY);

/** Return the JSON of a call; throws Refused with what the server says is wrong. */
export async function call(method, path, body) {
  const headers = { Authorization: `Bearer ${savedKey()}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, {
      method, headers, cache: "no-store", body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Refused(0, "The server does not answer.");
  }
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, found.detail || `The server answered ${answer.status}.`);
  return found;
}

export const report = () => call("GET", "/v1/operations");
export const bundles = () => call("GET", "/v1/bundles");
export const activate = (version, alias) =>
  call("POST", `/v1/bundles/${encodeURIComponent(version)}/activate`, { alias });
export const rollBack = () => call("POST", "/v1/bundles/rollback");
export const experiments = () => call("GET", "/v1/experiments");
export const experiment = (name) => call("GET", `/v1/experiments/${encodeURIComponent(name)}`);
export const analysis = (name) => call("GET", `/v1/experiments/${encodeURIComponent(name)}/analysis`);
