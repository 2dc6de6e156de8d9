/** The build context as the rows of a tree: only those that are visible, however many files there are. */

import type { Preview } from "flowhold";
import type { Folds, Row } from "./protocol";

/** Directories with more children than this are closed at first, and show this many at a time. */
export const MANY = 200;
/** The most rows that are open at first: each takes the page's time. */
const MOST_ROWS = 1000;

type Entry = Preview["context"][number];

interface Directory {
  path: string;
  name: string;
  directories: Map<string, Directory>;
  files: { name: string; entry: Entry }[];
  size: number | null;
  count: number;
}

export function rows(context: readonly Entry[], folds: Folds): Row[] {
  const root = directory("", "");
  for (const entry of context) place(root, entry);
  const list: Row[] = [];
  append(list, root, 0, folds, openAtFirst(root));
  return list;
}

/** The directories that are open at first, whatever the user opens or closes: otherwise others would change with it. */
function openAtFirst(root: Directory): ReadonlySet<Directory> {
  const open = new Set<Directory>();
  let left = MOST_ROWS;
  const visit = (at: Directory): void => {
    for (const below of at.directories.values()) {
      const children = childCount(below);
      if (children > Math.min(MANY, left)) continue;
      left -= children;
      open.add(below);
      visit(below);
    }
  };
  visit(root);
  return open;
}

function childCount({ directories, files }: Directory): number {
  return directories.size + files.length;
}

function directory(path: string, name: string): Directory {
  return { path, name, directories: new Map(), files: [], size: 0, count: 0 };
}

function place(root: Directory, entry: Entry): void {
  const parts = entry.path.split("/");
  const isDirectory = entry.sha256 === "" && entry.link === undefined;
  const name = isDirectory ? "" : (parts.pop() ?? "");
  let at = root;
  const add = (to: Directory): void => {
    if (isDirectory) return;
    to.count += 1;
    to.size = to.size === null || entry.size === null ? null : to.size + entry.size;
  };
  add(root);
  for (const part of parts) {
    if (part === "") continue;
    let next = at.directories.get(part);
    if (!next) {
      next = directory(`${at.path}${part}/`, part);
      at.directories.set(part, next);
    }
    at = next;
    add(at);
  }
  if (!isDirectory) at.files.push({ name, entry });
}

function append(list: Row[], at: Directory, depth: number, folds: Folds, first: ReadonlySet<Directory>): void {
  const total = childCount(at);
  const limit = folds.shown[at.path] ?? MANY;
  let left = limit;
  for (const below of at.directories.values()) {
    if (left-- <= 0) break;
    const open = folds.open[below.path] ?? first.has(below);
    const detail = below.count === 1 ? "1 file" : `${below.count.toLocaleString("en")} files`;
    list.push({ kind: "directory", path: below.path, name: below.name, depth, size: below.size, detail, open });
    if (open) append(list, below, depth + 1, folds, first);
  }
  for (const { name, entry } of at.files) {
    if (left-- <= 0) break;
    const { path, size } = entry;
    if (entry.link === undefined) {
      const detail = entry.sha256 ? entry.sha256.slice(0, 12) : "bytes not here";
      list.push({ kind: "file", path, name, depth, size, detail, open: null });
    } else {
      list.push({ kind: "link", path, name, depth, size: null, detail: `→ ${entry.link}`, open: null });
    }
  }
  if (total > limit) {
    const rest = (total - limit).toLocaleString("en");
    list.push({ kind: "more", path: at.path, name: `${rest} more`, depth, size: null, detail: "", open: null });
  }
}
