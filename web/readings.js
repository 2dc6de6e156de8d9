/**
 * How the core gets at the readings of rarer scripts, a file beside the module that is only loaded when a name needs it.
 * index.js and node.js each say how that file is read at once.
 * @type {() => Uint8Array}
 */
let read = () => {
  throw new Error('nothing can be read yet');
};

/** @param {() => Uint8Array} how */
export function readWith(how) {
  read = how;
}

/** The content of readings.bin, or nothing: the core says what that means for a name. */
export function readings() {
  try {
    return read();
  } catch {
    return undefined;
  }
}
