/** Says why an operation failed. Every error that this package throws is a FlowholdError. */
export class FlowholdError extends Error {
  /**
   * @param {'input' | 'unavailable' | 'retry' | 'interrupted'} kind
   * @param {string} code
   * @param {string | null | undefined} field
   * @param {string} message
   * @param {string | null | undefined} help
   */
  constructor(kind, code, field, message, help) {
    super(message);
    this.name = 'FlowholdError';
    this.kind = kind;
    this.code = code;
    this.field = field ?? null;
    this.help = help ?? null;
  }
}
