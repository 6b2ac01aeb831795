/** Styles that several components share. */

import { css } from "lit";

/** Reset, buttons, fields, focus: every component starts from these. */
export const base = css`
  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }
  :host([hidden]),
  [hidden] {
    display: none !important;
  }
  h2,
  h3,
  p {
    margin: 0;
  }
  h2 {
    font: 500 21px/1.25 var(--serif);
    letter-spacing: -0.01em;
    color: var(--ink);
  }
  h3 {
    font: 600 14px/1.4 var(--sans);
    color: var(--ink);
  }
  .muted {
    color: var(--ink-3);
  }
  .small {
    font-size: 13px;
    line-height: 1.5;
  }
  code,
  pre {
    font: 400 12.5px/1.55 var(--mono);
  }
  :focus-visible {
    outline: 2px solid var(--accent);
    outline-offset: 2px;
  }
  button {
    font: 500 14px/1.2 var(--sans);
    color: var(--ink);
    background: transparent;
    border: 1px solid var(--line-strong);
    border-radius: 999px;
    min-height: 40px;
    padding: 0 18px;
    cursor: pointer;
    transition: background-color 0.15s, border-color 0.15s, color 0.15s;
  }
  button:hover:not(:disabled) {
    background: var(--sunken);
  }
  button:disabled {
    opacity: 0.55;
    cursor: default;
  }
  button.primary {
    background: var(--accent);
    border-color: var(--accent);
    color: var(--on-accent);
  }
  button.primary:hover:not(:disabled) {
    background: color-mix(in oklab, var(--accent), var(--ink) 16%);
    border-color: transparent;
  }
  button.plain {
    border-color: transparent;
  }
  button.link {
    border: 0;
    padding: 0 4px;
    min-height: 32px;
    color: var(--ink-2);
    text-decoration: underline;
    text-decoration-color: var(--line-strong);
    text-underline-offset: 4px;
    border-radius: 4px;
  }
  button.link:hover:not(:disabled) {
    background: none;
    color: var(--ink);
    text-decoration-color: currentColor;
  }
  button.compact {
    min-height: 32px;
    padding: 0 12px;
    font-size: 13px;
  }
  label.field {
    display: grid;
    gap: 6px;
    font: 500 13px/1.4 var(--sans);
    color: var(--ink-2);
  }
  input:not([type="checkbox"]),
  textarea,
  select {
    font: 400 15px/1.5 var(--sans);
    color: var(--ink);
    background: var(--surface);
    border: 1px solid var(--line-strong);
    border-radius: var(--radius);
    padding: 8px 12px;
    width: 100%;
    min-height: 40px;
  }
  textarea {
    resize: vertical;
  }
  textarea.code,
  input.code {
    font: 400 12.5px/1.55 var(--mono);
  }
  input::placeholder,
  textarea::placeholder {
    color: var(--ink-3);
    opacity: 1;
  }
  label.check {
    display: flex;
    gap: 10px;
    align-items: flex-start;
    font: 400 14px/1.45 var(--sans);
    color: var(--ink);
    cursor: pointer;
  }
  label.check input {
    accent-color: var(--accent);
    width: 18px;
    height: 18px;
    margin: 1px 0 0;
    flex: none;
  }
  .visually-hidden {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
  @media (prefers-reduced-motion: reduce) {
    *,
    *::before,
    *::after {
      animation: none !important;
      transition: none !important;
    }
  }
`;
