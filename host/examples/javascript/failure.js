// Why an operation did not happen. jco takes the `payload` of a thrown error for the answer of an import, and throws
// errors with a `payload` for those of an export.

/** @typedef {'input' | 'unavailable' | 'retry' | 'interrupted'} Kind who can do something about it */

export class Failure extends Error {
  /** @param {{ kind: Kind, code: string, message: string, field?: string, help?: string }} payload */
  constructor(payload, options = {}) {
    super(payload.message, options);
    this.name = 'Failure';
    this.payload = payload;
  }

  get kind() {
    return this.payload.kind;
  }

  get code() {
    return this.payload.code;
  }

  get field() {
    return this.payload.field;
  }

  get help() {
    return this.payload.help;
  }

  /** A failure that the user's input causes. */
  static input(code, message, help) {
    return new Failure({ kind: 'input', code, message, help });
  }
}
