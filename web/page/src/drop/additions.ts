/** What a drop adds to a spec, and how that is written in TOML. */

import type { Insertion, Known } from "../planner/protocol";

export interface Entry extends Partial<Known> {
  /** Relative to what was dropped; "" is that itself. */
  path: string;
  mode: number;
}

export interface Addition {
  name: string;
  /** It, and everything below it. Directories have neither size nor digest. */
  entries: Entry[];
  /** Of a file; null of a directory. */
  content: Known | null;
}

/** The name of a spec. Under any other, a text may be data. */
export const SPEC = /^flowhold\.(toml|json)$/i;

export const FILE_MODE = 0o644;
export const DIRECTORY_MODE = 0o755;

/** A browser does not say where a file was: this stands for the part that only the user knows. */
export const SOMEWHERE = "/path/to";

export function nothing(...refused: string[]): Insertion {
  return { changes: [], added: { flows: 0, files: 0 }, replaced: { flows: 0, files: 0 }, refused };
}

export function total({ flows, files }: Insertion["added"]): number {
  return flows + files;
}

export function source(name: string): string {
  return `${SOMEWHERE}/${name}`;
}

export function destination(name: string): string {
  return `/opt/${name}`;
}

/** A basic string; TOML's escapes are JSON's, but DEL needs one too. */
export function quoted(text: string): string {
  return JSON.stringify(text).replaceAll("\x7f", "\\u007f");
}

export function fileField(file: Addition): string {
  const value = `{ destination = ${quoted(destination(file.name))}, ${entriesField(file.entries)} }`;
  return `${quoted(source(file.name))} = ${value}`;
}

/** An inline table has to be one line, but an array in it may have several. */
export function entriesField(entries: readonly Entry[]): string {
  const list = entries.map(entry);
  return list.length === 1 ? `entries = [${list[0]}]` : `entries = [\n  ${list.join(",\n  ")},\n]`;
}

function entry({ path, mode, size, sha256 }: Entry): string {
  const content = sha256 === undefined ? "" : `, size = ${size}, sha256 = ${quoted(sha256)}`;
  return `{ path = ${quoted(path)}, mode = ${mode}${content} }`;
}
