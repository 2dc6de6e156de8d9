/** What a dropped text is to the spec and the page. */

import { check, places } from "flowhold";
import { NOT_A_SPEC } from "../planner/outcome";
import type { Recognised } from "../planner/protocol";
import { SPEC } from "./additions";
import { named } from "./named";

export function recognised(dropped: string, name: string, text: string): Recognised {
  const isSpec = SPEC.test(name);
  // What the spec has by that name is its file, whatever is in it.
  if (!isSpec && named(text, places(text)).has(name)) return "file";
  const fields = places(dropped).map(({ field }) => field);
  if (check(dropped)[0]?.code === NOT_A_SPEC) return fields.includes("dockerfile") ? "preview" : "storage";
  const fits = !fields.includes("") && fields.some((field) => /^(storage|flows)($|[.[])/.test(field));
  return isSpec || fits ? "spec" : "file";
}
