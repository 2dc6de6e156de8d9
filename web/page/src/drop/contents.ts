/** Files that were dropped, by digest: their bytes are read again only when the build context is downloaded. */

import type { Known } from "../planner/protocol";
import { exampleFiles } from "../sharing/examples";

export class Contents {
  readonly #files = exampleFiles();

  add(sha256: string, file: Blob): void {
    this.#files.set(sha256, file);
  }

  known(): Known[] {
    return Array.from(this.#files, ([sha256, { size }]) => ({ sha256, size }));
  }

  /** The archive with the files in their places. */
  async fill(parts: readonly (Uint8Array<ArrayBuffer> | Known)[]): Promise<Blob> {
    const blobs = parts.map((part) => (part instanceof Uint8Array ? part : this.#file(part)));
    for (const blob of new Set(blobs)) if (blob instanceof File) await readable(blob);
    return new Blob(blobs, { type: "application/x-tar" });
  }

  #file({ sha256 }: Known): Blob {
    const file = this.#files.get(sha256);
    if (!file) throw new Error(`the bytes of sha256:${sha256} are not here: add the file to the page`);
    return file;
  }
}

/** Lets the browser notice that a file has changed since it was hashed; later it would only break off the download. */
async function readable(file: File): Promise<void> {
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch {
    throw new Error(`${file.name} has been changed or removed since it was added: add it again`);
  }
}
