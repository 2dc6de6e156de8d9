/** Collects what was dropped or chosen: files, and directories with everything below them. Nothing is read yet. */

import { reason } from "../wording";

/** A browser needs about a millisecond for each file. */
export const MOST_FILES = 20_000;

export interface Picked {
  name: string;
  directory: boolean;
  /** The files of a directory, with paths relative to it; for a file only the file, with the path "". */
  files: { path: string; file: File }[];
  directories: string[];
  /** Whether a part could not be read: without that part it would be another directory. */
  incomplete: boolean;
}

export interface Collection {
  picked: Picked[];
  refused: string[];
  /** Notes on what the browser does not tell. */
  notes: string[];
}

const ONLY_FILES = "A browser tells only of the files in a chosen folder: drop it, if it has empty directories.";

export class TooMany extends Error {
  constructor() {
    const most = MOST_FILES.toLocaleString("en");
    super(
      `this page takes at most ${most} files: pack them into an archive, or write the path into files`,
    );
  }
}

/** Must be called while the drop is being dispatched: afterwards the browser forgets what was dropped. */
export function fromTransfer(
  transfer: DataTransfer,
  found: (count: number) => void,
  signal: AbortSignal,
): Promise<Collection> {
  const sources = Array.from(transfer.items)
    .filter((item) => item.kind === "file")
    .map((item) => ({ entry: item.webkitGetAsEntry?.() ?? null, file: item.getAsFile() }));
  return new Collector(found, signal).collect(sources);
}

/** Collects the files of an input. An input for directories gives each file a path that begins with the directory. */
export function fromInput(files: readonly File[]): Collection {
  if (files.length > MOST_FILES) throw new TooMany();
  const picked = new Map<string, Picked & { above: Set<string> }>();
  for (const file of files) {
    const parts = file.webkitRelativePath.split("/");
    const name = parts[0] || file.name;
    const directory = parts.length > 1;
    const none = { name, directory, files: [], directories: [], incomplete: false, above: new Set<string>() };
    const one = picked.get(name) ?? none;
    picked.set(name, one);
    one.files.push({ path: parts.slice(1).join("/"), file });
    for (let depth = 2; depth < parts.length; depth += 1) {
      one.above.add(parts.slice(1, depth).join("/"));
    }
  }
  return {
    picked: [...picked.values()].map(({ above, ...one }) => ({ ...one, directories: [...above] })),
    refused: [],
    notes: [...picked.values()].some(({ directory }) => directory) ? [ONLY_FILES] : [],
  };
}

class Collector {
  readonly #found: (count: number) => void;
  readonly #signal: AbortSignal;
  readonly #refused: string[] = [];
  #count = 0;

  constructor(found: (count: number) => void, signal: AbortSignal) {
    this.#found = found;
    this.#signal = signal;
  }

  async collect(sources: { entry: FileSystemEntry | null; file: File | null }[]): Promise<Collection> {
    const picked: Picked[] = [];
    for (const { entry, file } of sources) {
      if (entry?.isDirectory) {
        const one: Picked = { name: entry.name, directory: true, files: [], directories: [], incomplete: false };
        await this.#walk(entry as FileSystemDirectoryEntry, "", one);
        picked.push(one);
      } else if (file) {
        this.#counted();
        const files = [{ path: "", file }];
        picked.push({ name: file.name, directory: false, files, directories: [], incomplete: false });
      } else {
        this.#refused.push(`${entry?.name ?? "something"} is neither a file nor a directory that a browser can read`);
      }
    }
    return { picked, refused: this.#refused, notes: [] };
  }

  async #walk(directory: FileSystemDirectoryEntry, prefix: string, into: Picked): Promise<void> {
    let children: FileSystemEntry[];
    try {
      children = await list(directory);
    } catch (error) {
      into.incomplete = true;
      this.#refused.push(`${into.name}/${prefix} can't be listed: ${reason(error)}`);
      return;
    }
    const files = children.filter((child) => child.isFile) as FileSystemFileEntry[];
    for (let at = 0; at < files.length; at += 64) {
      this.#signal.throwIfAborted();
      await Promise.all(files.slice(at, at + 64).map((entry) => this.#take(entry, prefix, into)));
    }
    for (const child of children) {
      if (!child.isDirectory) continue;
      this.#signal.throwIfAborted();
      into.directories.push(prefix + child.name);
      await this.#walk(child as FileSystemDirectoryEntry, `${prefix}${child.name}/`, into);
    }
  }

  async #take(entry: FileSystemFileEntry, prefix: string, into: Picked): Promise<void> {
    this.#counted();
    try {
      const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
      into.files.push({ path: prefix + entry.name, file });
    } catch (error) {
      into.incomplete = true;
      this.#refused.push(`${into.name}/${prefix}${entry.name} can't be read: ${reason(error)}`);
    }
  }

  #counted(): void {
    this.#count += 1;
    if (this.#count > MOST_FILES) throw new TooMany();
    if (this.#count % 256 === 0) this.#found(this.#count);
  }
}

/** `readEntries` gives a hundred at a time, and none at the end. */
async function list(directory: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = directory.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return all;
    all.push(...some);
    if (all.length > MOST_FILES) throw new TooMany();
  }
}
