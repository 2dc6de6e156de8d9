/** Tells what a dropped text is: a spec, a serialized storage, a preview, or a file for the spec. */

import { check, places } from "flowhold";
import { NOT_A_SPEC } from "../planner/outcome";
import type { Recognised } from "../planner/protocol";
import { SPEC } from "./additions";
import { named } from "./named";

export function recognised(dropped: string, name: string, text: string): Recognised {
  const isSpec = SPEC.test(name);
  // If the spec has that name already, the text is that file, whatever is in it.
  if (!isSpec && named(text, places(text)).has(name)) return "file";
  const fields = places(dropped).map(({ field }) => field);
  if (check(dropped)[0]?.code === NOT_A_SPEC) return fields.includes("dockerfile") ? "preview" : "storage";
  const fits = !fields.includes("") && fields.some((field) => /^(storage|flows)($|[.[])/.test(field));
  return isSpec || fits ? "spec" : "file";
}
