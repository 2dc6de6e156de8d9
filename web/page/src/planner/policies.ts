/** The policies of those who host the page, who may change `policies.js` beside index.html. */

import type { Policy } from "flowhold";
import { reason } from "../wording";

export type Policies = Record<string, Policy>;

/** The build puts workers into a folder of their own, one below index.html. */
const FILE = new URL(import.meta.env.DEV ? "/policies.js" : "../policies.js", self.location.href);

/** The policies. If they can't be loaded, one that fails with the reason: a plan that was not judged is not final. */
export async function policies(): Promise<Policies> {
  try {
    const module: { default?: unknown } = await import(/* @vite-ignore */ FILE.href);
    return checked(module.default);
  } catch (error) {
    const message = `it can't be loaded: ${reason(error)}`;
    return {
      "policies.js": () => {
        throw new Error(message);
      },
    };
  }
}

function checked(all: unknown): Policies {
  if (typeof all !== "object" || all === null) throw new TypeError("its default export is not an object of policies");
  for (const [name, policy] of Object.entries(all)) {
    if (typeof policy !== "function") throw new TypeError(`${JSON.stringify(name)} is not a function`);
  }
  return all as Policies;
}
