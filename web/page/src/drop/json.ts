/** Additions to a spec that is written in JSON: it is read, changed and written again as a whole. */

import type { Insertion } from "../planner/protocol";
import { destination, format, lastPart, source, type Addition } from "./additions";

interface Spec {
  storage?: { type?: string; files?: Record<string, string | { destination?: string; entries?: unknown }> };
  flows?: { path?: string; object?: string; format?: string; size?: number; sha256?: string }[];
}

export function insertionIntoJson(text: string, additions: readonly Addition[]): Insertion {
  const result: Insertion = { changes: [], added: 0, replaced: 0, refused: [] };
  let spec: Spec;
  try {
    spec = JSON.parse(text) as Spec;
    for (const addition of additions) add(spec, addition, result);
  } catch {
    const refused = "nothing was added, because the spec is no JSON that has a place for it";
    return { ...result, added: 0, replaced: 0, refused: [refused] };
  }
  result.changes.push({ from: 0, to: text.length, insert: `${JSON.stringify(spec, null, 2)}\n` });
  return result;
}

function add(spec: Spec, addition: Addition, result: Insertion): void {
  const { name } = addition;
  if (addition.kind === "flow") {
    const { size, sha256 } = addition;
    const known = spec.flows?.find(({ path }) => path !== undefined && lastPart(path) === name);
    if (known?.object !== undefined) {
      result.refused.push(
        `${name} is not what is stored: your Python pickles an object of it. Drop the pickle instead`,
      );
    } else if (known) {
      Object.assign(known, { size, sha256 });
      result.replaced += 1;
    } else {
      const shape = format(name);
      (spec.flows ??= []).push({ path: name, ...(shape ? { format: shape } : {}), size, sha256 });
      result.added += 1;
    }
    return;
  }
  const files = ((spec.storage ??= { type: "docker" }).files ??= {});
  const key = Object.keys(files).find((path) => lastPart(path) === name);
  const known = key === undefined ? undefined : files[key];
  const at = typeof known === "string" ? known : (known?.destination ?? destination(name));
  files[key ?? source(name)] = { destination: at, entries: addition.entries };
  result[known === undefined ? "added" : "replaced"] += 1;
}
