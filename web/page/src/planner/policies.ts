/** The policies of those who host the page: `policies.js` beside index.html, which is there to be changed. */

import type { Policy } from "flowhold";
import { reason } from "../wording";

export type Policies = Record<string, Policy>;

/** Workers are built into a folder of their own. */
const FILE = new URL(import.meta.env.DEV ? "/policies.js" : "../policies.js", self.location.href);

/** Where they can't be had, the file itself is a policy, which says why: a plan that was not judged is not final. */
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
