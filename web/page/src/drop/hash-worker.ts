/** Reads and hashes files in pieces, so that a file of any size needs little memory and blocks nothing. */

import { Sha256 } from "flowhold";

const PIECE = 4 << 20;
/** How many files are read ahead: waiting for a small file costs more than hashing it. */
const AHEAD = 16;

export type Hashed = { sha256: string; size: number } | { error: string };

export type HashReply =
  | { kind: "ready" }
  | { kind: "progress"; bytes: number; files: number; name: string }
  | { kind: "done"; hashed: Hashed[] };

self.onmessage = async ({ data: files }: MessageEvent<File[]>) => {
  const hashed: Hashed[] = [];
  const reads: Promise<ArrayBuffer>[] = [];
  let bytes = 0;
  let reported = 0;
  const progress = (name: string, more: number): void => {
    bytes += more;
    const now = performance.now();
    if (now - reported < 60) return;
    reported = now;
    reply({ kind: "progress", bytes, files: hashed.length, name });
  };
  for (const [index, file] of files.entries()) {
    for (let next = index; next < Math.min(files.length, index + AHEAD); next += 1) {
      reads[next] ??= firstPiece(files[next] as File);
    }
    try {
      const first = await (reads[index] as Promise<ArrayBuffer>);
      hashed.push(await hash(file, first, (more) => progress(file.name, more)));
    } catch (error) {
      hashed.push({ error: error instanceof Error ? error.message : String(error) });
    }
    delete reads[index];
  }
  reply({ kind: "done", hashed });
};
reply({ kind: "ready" });

function firstPiece(file: File): Promise<ArrayBuffer> {
  // If a file is gone, a browser reads an empty slice without an error; reading the whole file fails, as it should.
  const read = (file.size <= PIECE ? file : file.slice(0, PIECE)).arrayBuffer();
  // The failure is handled where the piece is awaited; until then the browser would report it as unhandled.
  read.catch(() => undefined);
  return read;
}

async function hash(file: File, first: ArrayBuffer, progress: (bytes: number) => void): Promise<Hashed> {
  const sha256 = new Sha256();
  let size = 0;
  for (let piece = first; ; piece = await file.slice(size, size + PIECE).arrayBuffer()) {
    sha256.update(new Uint8Array(piece));
    size += piece.byteLength;
    progress(piece.byteLength);
    if (piece.byteLength === 0 || size >= file.size) break;
  }
  if (size !== file.size) return { error: "it changed while it was read" };
  return { size, sha256: sha256.hex() };
}

function reply(message: HashReply): void {
  self.postMessage(message);
}
