/** Fields as diagnostics name them, such as `storage.files["/a b"].entries[2]`, and where they are in the text. */

export interface Range {
  from: number;
  to: number;
}

export interface Place extends Range {
  field: string;
}

/** The field around a field; null for the spec as a whole, which is "". */
export function parent(field: string): string | null {
  if (field === "") return null;
  // Within a quoted key a quote has a backslash before it, so the last `["` begins the last key.
  const opening = field.endsWith('"]') ? '["' : field.endsWith("]") ? "[" : ".";
  return field.slice(0, Math.max(0, field.lastIndexOf(opening)));
}

/** The places of one text by field. */
export class Places {
  readonly #own = new Map<string, Range>();
  readonly #extent = new Map<string, Range>();

  constructor(places: readonly Place[]) {
    for (const { field, from, to } of places) {
      this.#own.set(field, { from, to });
      this.#widen(field, from, to);
    }
  }

  has(field: string): boolean {
    return this.#own.has(field);
  }

  /** The place of a field's key and value; for a table with a header, that of the header. */
  own(field: string): Range | undefined {
    return this.#own.get(field);
  }

  /** The place of a field and all fields in it; for a table with a header, that of the whole table. */
  extent(field: string): Range | undefined {
    return this.#extent.get(field);
  }

  all(): Range[] {
    return [...this.#own.values()];
  }

  /** The places of the fields directly in a field. */
  inside(field: string): Range[] {
    return [...this.#own].filter(([one]) => parent(one) === field).map(([, place]) => place);
  }

  /** Where the last of the fields directly in a field ends; undefined if there are none. */
  end(field: string): number | undefined {
    let last: number | undefined;
    for (const [one, { to }] of this.#extent) if (parent(one) === field) last = Math.max(last ?? 0, to);
    return last;
  }

  /** The place of the field, or of the nearest field around it. */
  nearest(field: string): Range | undefined {
    for (let around: string | null = field; around !== null; around = parent(around)) {
      const place = this.#own.get(around);
      if (place) return place;
    }
    return undefined;
  }

  #widen(field: string, from: number, to: number): void {
    for (let around: string | null = field; around !== null; around = parent(around)) {
      const extent = this.#extent.get(around);
      if (!extent) this.#extent.set(around, { from, to });
      else if (extent.from <= from && extent.to >= to) return;
      else {
        extent.from = Math.min(extent.from, from);
        extent.to = Math.max(extent.to, to);
      }
    }
  }
}
