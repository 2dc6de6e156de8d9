/** Starts the page: with the spec of the link, or the one of the last visit, or an example. */

import { byId } from "./dom";
import { offline } from "./offline";
import { Planner } from "./planner/planner";
import { recall } from "./remembered";
import { FIRST } from "./sharing/examples";
import { decode, isLink, refuseLink } from "./sharing/link";
import { theme } from "./theme";
import { reason } from "./wording";

theme();
// The planner is loaded beside the editor, which is most of the page's code, and not after it.
const planner = new Planner();
try {
  const [{ Page }, text] = await Promise.all([import("./page"), firstText()]);
  new Page(planner, text);
} catch (error) {
  byId("status").textContent = `The page could not be started: ${reason(error)}. Load it again.`;
}
// What the page needs offline is kept once the page itself is there.
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
