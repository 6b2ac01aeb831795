/** The console's own functions, and the making of a person's own. */

import type { JsonObject } from "../lib/events.js";
import type { Tool } from "../lib/toolbox.js";
import type { CustomTool } from "./preferences.js";

/** Names people say, to colours that look right on light and dark ground alike. */
export const ORB_COLOURS: Readonly<Record<string, string>> = {
  green: "#1f9d6b",
  blue: "#3a78e0",
  purple: "#8a5cd6",
  red: "#d6483c",
  orange: "#e07a2c",
  yellow: "#d9ad1e",
  pink: "#dc5a9a",
  white: "#c9d3ce",
};

export interface Page {
  setOrbColour(colour: string): void;
  now(): Date;
}

/** The functions every visitor can try at once. */
export function builtInTools(page: Page): Tool[] {
  return [
    {
      name: "end_session",
      description: "End the conversation. Call it when the user says goodbye or wants to stop, finish or hang up.",
      parameters: { type: "object", properties: {}, required: [] },
      endsSession: true,
      run: () => "Goodbye! It was good to talk with you.",
    },
    {
      name: "set_orb_color",
      description: "Change the color of the orb on the page.",
      parameters: {
        type: "object",
        properties: { color: { type: "string", enum: Object.keys(ORB_COLOURS), description: "The new color." } },
        required: ["color"],
      },
      run: (args: JsonObject) => {
        const name = String(args["color"]).toLowerCase();
        const colour = ORB_COLOURS[name];
        if (!colour) throw new Error(`There is no color ${name}. The colors are ${Object.keys(ORB_COLOURS).join(", ")}.`);
        page.setOrbColour(colour);
        return `The orb is ${name} now.`;
      },
    },
    {
      name: "get_local_time",
      description: "Tell the current time and date on the user's device.",
      parameters: { type: "object", properties: {}, required: [] },
      run: () => {
        const now = page.now();
        const time = now.toLocaleTimeString("en-US", { hour: "numeric", minute: "2-digit" });
        const day = now.toLocaleDateString("en-US", { weekday: "long", month: "long", day: "numeric" });
        return `It is ${time} on ${day}.`;
      },
    },
  ];
}

/** A person's function: it answers every call with the same text. */
export function customTool(tool: CustomTool): Tool {
  return {
    name: tool.name,
    description: tool.description,
    parameters: JSON.parse(tool.parameters) as JsonObject,
    run: () => tool.result,
  };
}
