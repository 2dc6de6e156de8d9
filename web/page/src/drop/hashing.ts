/** The page's side of the hashing worker. */

import type { Hashed, HashReply } from "./hash-worker";

export interface Progress {
  bytes: number;
  files: number;
  name: string;
}

/** Hashes files in a worker. Aborting ends the worker at once, even in the middle of a file. */
export function hashFiles(
  files: readonly File[],
  progress: (at: Progress) => void,
  signal: AbortSignal,
): Promise<Hashed[]> {
  if (files.length === 0) return Promise.resolve([]);
  const worker = new Worker(new URL("./hash-worker.ts", import.meta.url), { type: "module", name: "hashing" });
  return new Promise<Hashed[]>((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(`hashing stopped: ${event.message || "its program could not be loaded"}`));
    };
    worker.onmessage = ({ data }: MessageEvent<HashReply>) => {
      if (data.kind === "ready") worker.postMessage(files);
      else if (data.kind === "progress") progress(data);
      else resolve(data.hashed);
    };
  }).finally(() => worker.terminate());
}
