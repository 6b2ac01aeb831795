/** Layout of the console: header, stage, panel; one column on narrow screens. */

import { css } from "lit";

export const appStyles = css`
  :host {
    display: grid;
    grid-template-rows: auto minmax(0, 1fr) auto;
    height: 100dvh;
  }
  header {
    display: flex;
    align-items: center;
    gap: 16px;
    min-height: 60px;
    padding: 0 28px;
  }
  h1 {
    margin: 0;
    font: 500 24px/1 var(--serif);
    letter-spacing: -0.02em;
  }
  .model,
  .demo {
    font-size: 13px;
    color: var(--ink-3);
    white-space: nowrap;
  }
  .demo::before {
    content: "· ";
  }
  .model + .demo {
    margin-left: -10px;
  }
  .gap {
    flex: 1;
  }
  button.icon {
    width: 40px;
    padding: 0;
    display: inline-grid;
    place-items: center;
    flex: none;
  }
  main {
    min-height: 0;
  }
  main.ready {
    display: grid;
    grid-template-columns: minmax(0, 1fr) 420px;
  }
  .centre {
    height: 100%;
    display: grid;
    place-items: center;
    align-content: center;
    padding: 24px 24px 12vh;
  }

  /* stage */
  .stage {
    min-height: 0;
    min-width: 0;
    display: grid;
    grid-template-rows: auto minmax(0, 1fr) auto auto;
    padding: 0 28px 24px;
  }
  .stage.big {
    grid-template-rows: minmax(0, 1fr) auto auto;
    overflow-y: auto;
  }
  .top {
    display: flex;
    align-items: center;
    gap: 12px;
    max-width: 816px;
    width: 100%;
    margin: 0 auto;
    padding: 4px 0 20px;
  }
  .live voice-orb {
    width: 184px;
    margin: -22px -6px -22px -46px;
    flex: none;
  }
  .live .state {
    flex: 1;
    min-width: 0;
  }
  .live .actions {
    justify-content: flex-start;
    margin-top: 12px;
  }
  .big .top {
    flex-direction: column;
    justify-content: center;
    text-align: center;
    padding-bottom: 7vh;
    gap: 8px;
  }
  .big voice-orb {
    width: min(390px, 76vw, 44vh);
    flex: none;
  }
  .big fault-screen {
    text-align: left;
    margin-top: 4px;
  }
  .big:has(fault-screen) voice-orb {
    width: min(200px, 24vh);
  }
  .broken {
    overflow-y: auto;
  }
  .broken .top {
    align-items: flex-start;
  }
  .broken transcript-view {
    min-height: 200px;
    border-top: 1px solid var(--line);
    padding-top: 16px;
  }
  .broken fault-screen {
    margin-top: 20px;
  }
  .title {
    font: 400 clamp(27px, 3vw, 36px)/1.15 var(--serif);
    letter-spacing: -0.02em;
    text-wrap: balance;
  }
  .hint {
    color: var(--ink-3);
    margin-top: 6px;
    min-height: 1.5em;
    font-size: 16px;
  }
  .live .hint {
    font-size: 15px;
    margin-top: 2px;
  }
  .actions {
    display: flex;
    flex-wrap: wrap;
    justify-content: center;
    gap: 12px;
    margin-top: 24px;
  }
  .cancel {
    margin-top: 20px;
  }
  button.large {
    min-height: 48px;
    padding: 0 26px;
    font-size: 16px;
  }
  .honest {
    max-width: 440px;
    margin: 36px auto 0;
    color: var(--ink-3);
  }
  transcript-view {
    min-height: 0;
  }
  .notice {
    display: flex;
    align-items: center;
    gap: 12px;
    justify-content: space-between;
    max-width: 720px;
    width: 100%;
    margin: 8px auto;
    padding: 4px 4px 4px 16px;
    border-radius: var(--radius);
    background: var(--danger-soft);
    color: var(--danger);
    font-size: 14px;
    overflow-wrap: anywhere;
  }
  .notice button {
    color: inherit;
  }

  /* composer */
  .composer {
    display: flex;
    align-items: center;
    gap: 10px;
    max-width: 816px;
    width: 100%;
    margin: 12px auto 0;
  }
  .composer form {
    position: relative;
    flex: 1;
    min-width: 0;
  }
  .composer input {
    min-height: 48px;
    border-radius: 24px;
    padding: 0 54px 0 20px;
  }
  .composer .send {
    position: absolute;
    right: 4px;
    top: 4px;
    border: 0;
    background: var(--accent);
    color: var(--on-accent);
  }
  .composer .send:hover {
    background: color-mix(in oklab, var(--accent), var(--ink) 16%);
  }
  .composer button:not(.send) {
    min-height: 48px;
    flex: none;
  }
  .mic,
  .interrupt {
    display: inline-flex;
    align-items: center;
    gap: 10px;
  }
  .composer .speaker {
    width: 48px;
  }
  .mic[aria-pressed="true"],
  .speaker[aria-pressed="true"] {
    border-color: var(--danger);
    color: var(--danger);
  }
  .interrupt {
    padding: 0 18px 0 12px;
  }

  /* panel */
  aside {
    display: grid;
    grid-template-rows: auto minmax(0, 1fr);
    min-height: 0;
    min-width: 0;
    border-left: 1px solid var(--line);
    border-top: 1px solid var(--line);
    border-top-left-radius: 18px;
    background: var(--surface);
  }
  .panel {
    overflow-y: auto;
    overscroll-behavior: contain;
    padding: 24px 28px 32px;
    min-height: 0;
  }
  .tabs {
    padding: 10px 18px 0;
    border-bottom: 1px solid var(--line);
  }
  [role="tablist"] {
    display: flex;
    gap: 4px;
  }
  .panel:focus-visible {
    outline-offset: -3px;
  }
  .tabs button {
    flex: 1 1 auto;
    border: 0;
    border-radius: 6px 6px 0 0;
    min-height: 44px;
    padding: 0 6px;
    color: var(--ink-3);
    position: relative;
  }
  .tabs button:hover {
    background: none;
    color: var(--ink);
  }
  .tabs button[aria-selected="true"] {
    color: var(--ink);
  }
  .tabs button[aria-selected="true"]::after {
    content: "";
    position: absolute;
    inset: auto 8px -1px;
    height: 2px;
    border-radius: 1px;
    background: var(--accent);
  }
  .tabs button:focus-visible {
    outline-offset: -3px;
  }

  @media (max-width: 1023px) {
    header {
      padding: 0 20px;
      min-height: 54px;
    }
    main.ready {
      grid-template-columns: minmax(0, 1fr);
      grid-template-rows: minmax(0, 1fr);
    }
    .stage {
      padding: 0 20px 14px;
    }
    aside {
      border: 0;
      border-radius: 0;
      grid-template-rows: minmax(0, 1fr);
    }
    .panel {
      padding: 20px;
      max-width: 720px;
      width: 100%;
      margin: 0 auto;
    }
    :host > .tabs {
      border: 0;
      border-top: 1px solid var(--line);
      padding: 0 6px env(safe-area-inset-bottom);
      background: var(--surface);
    }
    :host > .tabs button {
      min-height: 52px;
      padding: 0 2px;
      font-size: 13px;
    }
    :host > .tabs button[aria-selected="true"]::after {
      inset: -1px 8px auto;
    }
  }
  @media (max-width: 560px) {
    .demo {
      display: none;
    }
    .composer {
      flex-wrap: wrap;
    }
    .composer form {
      order: -1;
      flex-basis: 100%;
    }
    .composer > button {
      flex: 1 1 0 !important;
      justify-content: center;
      padding: 0 10px;
    }
    .long {
      display: none;
    }
    .broken .top {
      flex-direction: column;
    }
    .top {
      padding-bottom: 12px;
    }
    .live voice-orb {
      width: 132px;
      margin-left: -19px;
    }
  }
  @media (max-height: 620px) {
    .honest {
      margin-top: 16px;
    }
  }
`;
