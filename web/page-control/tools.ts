/** What the assistant may do with the page. Colours and sizes are free strings: people say "dark red" and "a bit bigger". */

import type { JsonObject } from "../lib/events.js";
import type { Tool } from "../lib/toolbox.js";
import type { PageEditor } from "./editor.js";

const COLOUR = { type: "string", description: "Any color, as the user said it." };

export function pageTools(page: PageEditor): Tool[] {
  return [
    {
      name: "get_page_HTML",
      description: "Get the HTML of an element of the page, to read what it says.",
      parameters: object({ element: { type: "string", description: "What to read: heading, paragraph, button, or the whole page." } }),
      run: (args) => page.html(text(args, "element")),
    },
    {
      name: "change_background_color",
      description: "Change the background color of the page.",
      parameters: object({ color: COLOUR }, "color"),
      run: (args) => page.setBackground(text(args, "color") ?? ""),
    },
    {
      name: "change_font_color",
      description: "Change the font color of the text on the page.",
      parameters: object({ color: COLOUR }, "color"),
      run: (args) => page.setFontColour(text(args, "color") ?? ""),
    },
    {
      name: "change_button",
      description: "Change the size and color of the button.",
      parameters: object({
        size: { type: "string", description: "How big: bigger, smaller, huge, or a font size in pixels." },
        color: COLOUR,
      }),
      run: (args) => page.setButton({ size: text(args, "size"), color: text(args, "color") }),
    },
    { name: "undo", description: "Undo the last change to the page.", run: () => page.undo() },
    {
      name: "end_session",
      description: "End the conversation. Call it when the user says goodbye or wants to stop, finish or hang up.",
      endsSession: true,
      run: () => "Goodbye! Enjoy the new colors.",
    },
  ];
}

function object(properties: JsonObject, ...required: string[]): JsonObject {
  return { type: "object", properties, required };
}

/** An argument as text; models leave out, or send empty, what they do not mean. */
function text(args: JsonObject, name: string): string | undefined {
  const value = args[name];
  const words = typeof value === "string" || typeof value === "number" ? String(value).trim() : "";
  return words || undefined;
}
