// Bytes of the host that the component only has a handle of. (Not the web's Blob, which can only be read by waiting.)
import { Failure } from './failure.js';

// No component makes the host hold more than this at once; it asks again for the rest.
const LARGEST = 16 << 20;

/** A handle. Several may share one source of bytes, but no handle may be two: the component gives each back once. */
export class Blob {
  /** @param {Uint8Array | { length: number, read(offset: number, length: number): Uint8Array, sha256(): Uint8Array }} source */
  constructor(source) {
    this.source = source instanceof Uint8Array ? new Memory(source) : source;
  }

  length() {
    return BigInt(this.source.length);
  }

  sha256() {
    return this.source.sha256();
  }

  read(offset, length) {
    // Beyond 2^53 there is nothing, so that it does not matter which number is taken.
    return this.source.read(Number(offset), Math.min(length, LARGEST));
  }

  share() {
    return new Blob(this.source);
  }

  /** All bytes. */
  bytes() {
    return this.source.read(0, this.source.length);
  }
}

class Memory {
  constructor(bytes) {
    this.bytes = bytes;
    this.length = bytes.length;
  }

  read(offset, length) {
    return this.bytes.subarray(offset, offset + length);
  }

  /** Browsers have SHA-256 only as a promise, and an import must answer at once. So the component computes it. */
  sha256() {
    throw new Failure({ kind: 'unavailable', code: 'unsupported', message: 'this host computes no sha256' });
  }
}
