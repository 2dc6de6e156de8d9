/**
 * How the core gets at the files beside the module that are only loaded when they are needed: the readings of rarer
 * scripts (readings.bin), and the programs that get into images (scripts.bin).
 * index.js and node.js each say how a file is read at once.
 * @type {(name: string) => Uint8Array}
 */
let read = () => {
  throw new Error('nothing can be read yet');
};

/** @param {(name: string) => Uint8Array} how */
export function readWith(how) {
  read = how;
}

/** A file's content, or nothing: the core says what that means. */
function file(/** @type {string} */ name) {
  try {
    return read(name);
  } catch {
    return undefined;
  }
}

export const readings = () => file('readings.bin');
export const scripts = () => file('scripts.bin');
