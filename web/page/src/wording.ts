/** Numbers and errors as people read them. */

const UNITS = ["B", "kB", "MB", "GB", "TB"] as const;

/** `412 B`, `3.4 kB`, `1.1 GB`: thousands, as Docker counts. */
export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** `1 flow`, `2 flows`, `20,000 flows` */
export function count(number: number, noun: string): string {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

/** Characters that are invisible, or that change the order of other characters. */
export const INVISIBLE = /[\p{Default_Ignorable_Code_Point}\u2028\u2029\ufff9-\ufffb]|(?![\t\n])\p{Cc}/gu;

/** The text with escapes, such as `\u{202e}`, in place of these characters. */
export function visible(text: string): string {
  return text.replace(INVISIBLE, (character) => escaped(character.codePointAt(0) ?? 0));
}

export function escaped(codePoint: number): string {
  return `\\u{${codePoint.toString(16)}}`;
}

/** The policy that gave a verdict, in the command line's words. */
export function says(policy: string): string {
  return `says ${policy}`;
}

export function reason(error: unknown): string {
  return error instanceof Error || error instanceof DOMException ? error.message : String(error);
}
