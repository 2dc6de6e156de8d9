/** Finds the flows and files of a spec by name: a browser tells no more of where a dropped file was. */

import type { Place, Range } from "../fields";
import type { Addition } from "./additions";

export interface Named {
  kind: "flow" | "file";
  /** The path as the spec has it. */
  path: string;
  field: string;
}

export interface Sorted {
  /** What the spec does not have yet. */
  fresh: Addition[];
  again: { named: Named; addition: Addition }[];
  refused: string[];
}

export function named(text: string, places: readonly Place[]): Map<string, Named[]> {
  const all = new Map<string, Named[]>();
  for (const place of places) {
    const one = flow(text, place) ?? file(place);
    if (!one) continue;
    const name = one.path.replace(/[/\\]+$/, "").replace(/^.*[/\\]/s, "");
    const same = all.get(name);
    if (same) same.push(one);
    else all.set(name, [one]);
  }
  return all;
}

export function sorted(additions: readonly Addition[], known: ReadonlyMap<string, Named[]>): Sorted {
  const result: Sorted = { fresh: [], again: [], refused: [] };
  const times = new Map<string, number>();
  for (const { name } of additions) times.set(name, (times.get(name) ?? 0) + 1);
  for (const [name, number] of times)
    if (number > 1) result.refused.push(`${name} was dropped ${number} times: it is not clear which to take`);
  for (const addition of additions) {
    const { name, content } = addition;
    if (times.get(name) !== 1) continue;
    // A directory is never a flow.
    const found = (known.get(name) ?? []).filter(({ kind }) => kind === "file" || content !== null);
    const paths = [...new Set(found.map(({ path }) => path))];
    if (paths.length > 1) result.refused.push(`${name} may be ${paths.join(" or ")}: it is not clear which`);
    else if (found.length === 0) result.fresh.push(addition);
    else result.again.push(...found.map((one) => ({ named: one, addition })));
  }
  return result;
}

/** The value of a field that is a string, in TOML or JSON. */
export function stringAt(text: string, { from, to }: Range): string | undefined {
  const value = /[=:]\s*("(?:[^"\\]|\\.)*"|'[^']*')$/.exec(text.slice(from, to))?.[1];
  return value === undefined ? undefined : unquoted(value);
}

function flow(text: string, place: Place): Named | null {
  if (!/^flows\[\d+\]\.path$/.test(place.field)) return null;
  const path = stringAt(text, place);
  return path === undefined ? null : { kind: "flow", path, field: place.field.slice(0, -".path".length) };
}

function file({ field }: Place): Named | null {
  const key = /^storage\.files(?:\.([\w-]+)|\[("(?:[^"\\]|\\.)*")\])$/.exec(field);
  const path = key?.[1] ?? (key?.[2] === undefined ? undefined : unquoted(key[2]));
  return path === undefined ? null : { kind: "file", path, field };
}

/** Unquotes a string of TOML, JSON or a field. Fields quote keys as Rust does, with escapes that JSON lacks. */
function unquoted(literal: string): string | undefined {
  if (literal.startsWith("'")) return literal.slice(1, -1);
  try {
    return JSON.parse(literal.replace(/\\(?:u\{(\w+)\}|U(\w{8})|(0)|.)/g, asJson)) as string;
  } catch {
    return undefined;
  }
}

function asJson(escape: string, rust?: string, toml?: string, zero?: string): string {
  const point = rust ?? toml ?? zero;
  if (point !== undefined) return JSON.stringify(String.fromCodePoint(parseInt(point, 16))).slice(1, -1);
  return escape === "\\'" ? "'" : escape;
}
