/** Adds to a spec that is written in JSON: the spec is read, changed and written again as a whole. */

import type { Insertion } from "../planner/protocol";
import { destination, nothing, source, total, type Addition } from "./additions";
import { format, isFlow } from "./flows";
import type { Named, Sorted } from "./named";

interface Spec {
  storage?: { type?: string; files?: Record<string, string | { destination?: string; entries?: unknown }> };
  flows?: { path?: string; object?: string; format?: string; size?: number; sha256?: string }[];
}

export function insertionIntoJson(text: string, { fresh, again, refused }: Sorted): Insertion {
  const result = { ...nothing(), refused };
  try {
    const spec = JSON.parse(text) as Spec;
    for (const { named, addition } of again) replace(spec, named, addition, result);
    for (const addition of fresh) add(spec, addition, result);
    if (total(result.added) + total(result.replaced) > 0)
      result.changes.push({ from: 0, to: text.length, insert: `${JSON.stringify(spec, null, 2)}\n` });
    return result;
  } catch {
    return nothing("nothing was added: no suitable place was found in the spec");
  }
}

function replace(spec: Spec, { kind, path, field }: Named, addition: Addition, result: Insertion): void {
  const { name, entries, content } = addition;
  if (kind === "file") {
    const files = spec.storage?.files ?? {};
    const known = files[path];
    const at = typeof known === "string" ? known : (known?.destination ?? destination(name));
    files[path] = { destination: at, entries };
    result.replaced.files += 1;
    return;
  }
  const flow = spec.flows?.[Number(/\d+/.exec(field))];
  if (flow?.object === undefined) {
    Object.assign(flow ?? {}, content);
    result.replaced.flows += 1;
  } else {
    result.refused.push(`${name} is not what is stored: your Python pickles an object of it. Add the pickle instead`);
  }
}

function add(spec: Spec, addition: Addition, result: Insertion): void {
  const { name, entries } = addition;
  if (isFlow(addition)) {
    const { size, sha256 } = addition.content;
    const shape = format(name);
    (spec.flows ??= []).push({ path: name, ...(shape ? { format: shape } : {}), size, sha256 });
    result.added.flows += 1;
  } else {
    ((spec.storage ??= { type: "docker" }).files ??= {})[source(name)] = { destination: destination(name), entries };
    result.added.files += 1;
  }
}
