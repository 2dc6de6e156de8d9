/** A spec in the fragment of a link: UTF-8, deflated, as base64url. A fragment never reaches a server. */

import { notify } from "../view/notices";
import { reason } from "../wording";

const PREFIX = "#spec=";
const MOST_BYTES = 1 << 20;

export class LinkError extends Error {}

export function isLink(hash: string): boolean {
  return hash.startsWith(PREFIX);
}

export async function encode(text: string): Promise<string> {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length > MOST_BYTES) throw new LinkError("the spec is larger than 1 MiB, which is more than a link takes");
  const deflated = await collect(piped(bytes, new CompressionStream("deflate-raw")), Infinity);
  let binary = "";
  for (const byte of deflated) binary += String.fromCharCode(byte);
  return PREFIX + btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** Reads the spec in a fragment, which anybody may have written. */
export async function decode(hash: string): Promise<string> {
  const base64 = hash.slice(PREFIX.length);
  if (base64.length > 2 * MOST_BYTES || !/^[\w-]*$/.test(base64))
    throw new LinkError("it is not a spec that this page wrote");
  try {
    const binary = atob(base64.replaceAll("-", "+").replaceAll("_", "/"));
    const deflated = Uint8Array.from(binary, (char) => char.charCodeAt(0));
    const bytes = await collect(piped(deflated, new DecompressionStream("deflate-raw")), MOST_BYTES);
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (error instanceof LinkError) throw error;
    throw new LinkError("it is damaged, or was cut off");
  }
}

export function refuseLink(error: unknown): void {
  notify({ kind: "error", about: "link", text: `The spec in this link could not be read: ${reason(error)}.` });
}

function piped(
  bytes: Uint8Array<ArrayBuffer>,
  through: ReadableWritablePair<Uint8Array<ArrayBuffer>, BufferSource>,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new Blob([bytes]).stream().pipeThrough(through);
}

/** Reads a stream, at most to the limit: a few deflated bytes can become gigabytes. */
async function collect(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  most: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > most) {
      void reader.cancel().catch(() => undefined);
      throw new LinkError("it holds more than 1 MiB");
    }
    parts.push(value);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}
