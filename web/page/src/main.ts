/** Starts the page with the spec of the link, else the spec of the last visit, else an example. */

import { byId } from "./dom";
import { offline } from "./offline";
import { Planner } from "./planner/planner";
import { recall } from "./remembered";
import { FIRST } from "./sharing/examples";
import { decode, isLink, refuseLink } from "./sharing/link";
import { theme } from "./theme";
import { reason } from "./wording";

theme();
// The planner is loaded at the same time as the editor, which is most of the page's code.
const planner = new Planner();
try {
  const [{ Page }, text] = await Promise.all([import("./page"), firstText()]);
  new Page(planner, text);
} catch (error) {
  byId("status").textContent = `The page could not be started: ${reason(error)}. Load it again.`;
}
// The files that the page needs offline are kept only after the page itself has loaded.
if (document.readyState === "complete") void offline();
else window.addEventListener("load", () => void offline());

async function firstText(): Promise<string> {
  const own = recall("spec") ?? FIRST;
  if (!isLink(location.hash)) return own;
  try {
    return await decode(location.hash);
  } catch (error) {
    refuseLink(error);
    return own;
  }
}
