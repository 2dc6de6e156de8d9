/** What the browser keeps for the next visit. A browser that refuses, or has no room, keeps nothing. */

type Name = "spec" | "theme" | "pinned";

export function recall(name: Name): string | null {
  try {
    return localStorage.getItem(`flowhold.${name}`);
  } catch {
    return null;
  }
}

/** Keeps a value, or removes it for null. Returns whether that worked. */
export function remember(name: Name, value: string | null): boolean {
  try {
    if (value === null) localStorage.removeItem(`flowhold.${name}`);
    else localStorage.setItem(`flowhold.${name}`, value);
    return true;
  } catch {
    return false;
  }
}
