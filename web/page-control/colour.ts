/** Colours as people say them, to colours as CSS writes them. Pure: the judge of what CSS knows is an argument. */

const FILLERS = /\b(a|an|the|very|really|colou?r|colou?red|please)\b/g;

/** "Dark red." to `darkred`, "#FFF" to `#fff`. Raises an error that the assistant can speak about. */
export function cssColour(said: string, known: (colour: string) => boolean): string {
  const plain = said.trim().toLowerCase().replace(/[.!?]+$/, "");
  const bare = plain.replace(FILLERS, " ").replace(/\s+/g, " ").trim();
  const candidates = [plain, bare, bare.replaceAll(/[\s-]/g, ""), bare.split(" ").at(-1) ?? ""];
  const found = candidates.find((candidate) => candidate && !NOT_A_COLOUR.has(candidate) && known(candidate));
  if (!found) throw new Error(`There is no color called ${said.trim() || "nothing"}.`);
  return found;
}

/** What CSS takes for a colour and a person does not mean by one. */
const NOT_A_COLOUR = new Set(["inherit", "initial", "unset", "revert", "revert-layer", "currentcolor"]);
