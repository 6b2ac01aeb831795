/** The functions the assistant may call: the console's own, and those a person writes here with an answer of theirs. */

import { css, html, LitElement, nothing } from "lit";
import { type Tool, toolProblem } from "../lib/toolbox.js";
import type { CustomTool, Preferences } from "./preferences.js";
import { base } from "./theme.js";

const SAMPLE: CustomTool = {
  name: "get_weather",
  description: "Tell the weather in a city.",
  parameters: JSON.stringify(
    { type: "object", properties: { city: { type: "string", description: "Name of the city" } }, required: ["city"] },
    null,
    2,
  ),
  result: '{"temperature": 18, "sky": "cloudy"}',
};

/** Fires `prefer` with the changed preferences. */
export class ToolsPanel extends LitElement {
  static override properties = {
    preferences: { attribute: false },
    builtIn: { attribute: false },
    draft: { state: true },
    problem: { state: true },
  };
  declare preferences: Preferences;
  declare builtIn: readonly Tool[];
  declare draft: CustomTool | undefined;
  declare problem: string;

  static override styles = [
    base,
    css`
      :host {
        display: grid;
        gap: 22px;
      }
      ul {
        list-style: none;
        margin: 0;
        padding: 0;
        display: grid;
        gap: 16px;
      }
      li {
        display: grid;
        gap: 2px;
      }
      li code {
        font-weight: 500;
        font-size: 13px;
        overflow-wrap: anywhere;
      }
      li p,
      li .signature {
        padding-left: 28px;
      }
      li p {
        color: var(--ink-2);
        font-size: 14px;
      }
      .signature {
        font: 400 12px/1.5 var(--mono);
        color: var(--ink-3);
        overflow-wrap: anywhere;
      }
      li .remove {
        justify-self: start;
        margin-left: 24px;
      }
      form {
        display: grid;
        gap: 16px;
        padding-top: 20px;
        border-top: 1px solid var(--line);
      }
      .actions {
        display: flex;
        gap: 10px;
      }
      .problem {
        color: var(--danger);
      }
    `,
  ];

  constructor() {
    super();
    this.problem = "";
    this.draft = undefined;
  }

  override render() {
    return html`
      <h2>What it can do</h2>
      <p class="muted">Ask for one in your own words. What it returns is what the assistant speaks about.</p>
      <ul>
        ${this.builtIn.map((tool) => this.#tool(tool.name, tool.description, tool.parameters ?? {}, false))}
        ${this.preferences.customTools.map((tool) =>
          this.#tool(tool.name, tool.description, JSON.parse(tool.parameters) as object, true),
        )}
      </ul>
      ${this.draft
        ? this.#form(this.draft)
        : html`<div><button class="compact" @click=${() => this.#begin()}>Add a function</button></div>`}
    `;
  }

  #tool(name: string, description: string, parameters: object, own: boolean) {
    const enabled = !this.preferences.disabledTools.includes(name);
    const properties = Object.keys((parameters as { properties?: object }).properties ?? {});
    return html`<li>
      <label class="check">
        <input type="checkbox" .checked=${enabled}
          @change=${(event: Event) => this.#enable(name, (event.target as HTMLInputElement).checked)} />
        <code>${name}</code>
      </label>
      <p>${description}</p>
      ${properties.length > 0 ? html`<span class="signature">takes ${properties.join(", ")}</span>` : nothing}
      ${own ? html`<button class="link remove small" @click=${() => this.#remove(name)}>Remove ${name}</button>` : nothing}
    </li>`;
  }

  #form(draft: CustomTool) {
    const field = (name: keyof CustomTool) => (event: Event) => {
      this.draft = { ...draft, [name]: (event.target as HTMLInputElement).value };
    };
    return html`<form @submit=${(event: SubmitEvent) => this.#add(event, draft)}>
      <h3>New function</h3>
      <label class="field">Name <input class="code" .value=${draft.name} spellcheck="false" @input=${field("name")} /></label>
      <label class="field">What it does <input .value=${draft.description} @input=${field("description")} /></label>
      <label class="field"
        >Parameters, as JSON Schema
        <textarea class="code" rows="8" spellcheck="false" .value=${draft.parameters} @input=${field("parameters")}></textarea>
      </label>
      <label class="field"
        >What it returns, every time
        <textarea class="code" rows="2" spellcheck="false" .value=${draft.result} @input=${field("result")}></textarea>
      </label>
      ${this.problem ? html`<p class="problem small" role="alert">${this.problem}</p>` : nothing}
      <div class="actions">
        <button class="primary compact">Add</button>
        <button class="compact plain" type="button" @click=${() => this.#leave()}>Cancel</button>
      </div>
    </form>`;
  }

  #begin(): void {
    this.draft = SAMPLE;
    this.problem = "";
  }

  #leave(): void {
    this.draft = undefined;
    this.problem = "";
  }

  #add(event: SubmitEvent, draft: CustomTool): void {
    event.preventDefault();
    const taken = [...this.builtIn, ...this.preferences.customTools].map((tool) => tool.name);
    const problem = toolProblem(draft, taken);
    this.problem = problem ?? "";
    if (problem) return;
    this.#prefer({ customTools: [...this.preferences.customTools, draft] });
    this.#leave();
  }

  #remove(name: string): void {
    this.#prefer({ customTools: this.preferences.customTools.filter((tool) => tool.name !== name) });
  }

  #enable(name: string, enabled: boolean): void {
    const others = this.preferences.disabledTools.filter((other) => other !== name);
    this.#prefer({ disabledTools: enabled ? others : [...others, name] });
  }

  #prefer(change: Partial<Preferences>): void {
    this.dispatchEvent(new CustomEvent("prefer", { detail: { ...this.preferences, ...change } }));
  }
}

customElements.define("tools-panel", ToolsPanel);
