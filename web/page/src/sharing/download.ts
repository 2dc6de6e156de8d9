/** Saves what the page made as a file. A browser may add an ending for the blob's type to a name that has none. */

export function save(name: string, blob: Blob): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The browser reads the blob after the click; how long after is not said.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
