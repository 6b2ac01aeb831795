/**
 * Functions the assistant may call, and how a page answers a call. Pure but for the functions themselves.
 */

import type { FunctionTool, JsonObject } from "./events.js";

export interface Tool {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of the arguments, an object; absent for a function without any. */
  readonly parameters?: JsonObject;
  /** Returns what the assistant is told; anything but a string is sent as JSON. */
  run(args: JsonObject): unknown;
  /** The conversation ends after the assistant has spoken about this call. */
  readonly endsSession?: boolean;
}

export interface ToolOutcome {
  readonly output: string;
  readonly failed: boolean;
  readonly endsSession: boolean;
}

export class ToolBox {
  #tools: readonly Tool[];

  constructor(tools: readonly Tool[] = []) {
    this.#tools = tools;
  }

  get tools(): readonly Tool[] {
    return this.#tools;
  }

  replace(tools: readonly Tool[]): void {
    this.#tools = tools;
  }

  definitions(): FunctionTool[] {
    return this.#tools.map(({ name, description, parameters }) => ({
      type: "function",
      name,
      description,
      ...(parameters ? { parameters } : {}),
    }));
  }

  /** Run a call. Never raises: whatever goes wrong becomes an output the assistant can speak about. */
  async call(name: string, argumentsJson: string): Promise<ToolOutcome> {
    const tool = this.#tools.find((candidate) => candidate.name === name);
    if (!tool) return failure(`There is no function called ${name}.`);
    let args: unknown;
    try {
      args = argumentsJson.trim() ? JSON.parse(argumentsJson) : {};
    } catch (error) {
      return failure(`The arguments are not JSON: ${messageOf(error)}`);
    }
    if (typeof args !== "object" || args === null || Array.isArray(args)) {
      return failure("The arguments must be a JSON object.");
    }
    try {
      const result = await tool.run(args as JsonObject);
      const output = typeof result === "string" ? result : JSON.stringify(result ?? { ok: true });
      return { output, failed: false, endsSession: tool.endsSession ?? false };
    } catch (error) {
      return failure(messageOf(error));
    }
  }
}

function failure(message: string): ToolOutcome {
  return { output: JSON.stringify({ error: message }), failed: true, endsSession: false };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Checks a tool a person typed. Returns the problem with its fix, or undefined. */
export function toolProblem(tool: { name: string; parameters: string }, taken: readonly string[]): string | undefined {
  if (!/^[A-Za-z_][A-Za-z0-9_-]{0,63}$/.test(tool.name)) {
    return "The name needs a letter first, then letters, digits, _ or -, at most 64 in all.";
  }
  if (taken.includes(tool.name)) return `There is already a function called ${tool.name}. Choose another name.`;
  let schema: unknown;
  try {
    schema = JSON.parse(tool.parameters);
  } catch (error) {
    return `The parameters are not JSON: ${messageOf(error)}`;
  }
  if (typeof schema !== "object" || schema === null || (schema as { type?: unknown }).type !== "object") {
    return 'The parameters must be a JSON Schema with "type": "object".';
  }
  return undefined;
}
