/** What the browser keeps for the next visit. It may refuse to, or have no room: then nothing is kept. */

type Name = "spec" | "theme" | "pinned";

export function recall(name: Name): string | null {
  try {
    return localStorage.getItem(`flowhold.${name}`);
  } catch {
    return null;
  }
}

/** Whether it was kept. */
export function remember(name: Name, value: string | null): boolean {
  try {
    if (value === null) localStorage.removeItem(`flowhold.${name}`);
    else localStorage.setItem(`flowhold.${name}`, value);
    return true;
  } catch {
    return false;
  }
}
