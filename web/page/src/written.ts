/** JSON that Flowhold writes and that is no spec: it is told from one, and what it is good for is said. */

export type Written = "storage" | "preview";

export const WHAT: Record<Written, string> = {
  storage: "is a serialized storage, not a spec",
  preview: "is a preview, not a spec",
};

export const STORAGE_HELP = "flowhold run, ls and get take it with --storage";

export function written(text: string): Written | null {
  if (!/^\s*\{/.test(text) || !/"(?:__version__|dockerfile)"/.test(text)) return null;
  try {
    const fields = JSON.parse(text) as Record<string, unknown>;
    if ("__version__" in fields && typeof fields["type"] === "string") return "storage";
    return "plan" in fields && "dockerfile" in fields ? "preview" : null;
  } catch {
    return null;
  }
}
