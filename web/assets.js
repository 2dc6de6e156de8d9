/**
 * Reads a file beside the module that is loaded only when the core needs it: the readings of rarer scripts
 * (readings.bin) or the programs that get into images (scripts.bin). index.js and node.js each set how a file is read
 * synchronously.
 * @type {(name: string) => Uint8Array}
 */
let read = () => {
  throw new Error('nothing can be read yet');
};

/** @param {(name: string) => Uint8Array} how */
export function readWith(how) {
  read = how;
}

/** A file's content, or undefined if it can't be read: the core decides what that means. */
function file(/** @type {string} */ name) {
  try {
    return read(name);
  } catch {
    return undefined;
  }
}

export const readings = () => file('readings.bin');
export const scripts = () => file('scripts.bin');
