/** JSON that Flowhold writes and that is dropped where a spec could be. */

export type Written = "storage" | "preview";

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
