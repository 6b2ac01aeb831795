/** Looks of the voice dock: its own ground, so that it stays legible whatever happens to the page. */

import { css } from "lit";

export const dockStyles = css`
  :host {
    display: block;
    padding: 0 20px calc(20px + env(safe-area-inset-bottom));
    color: var(--ink);
    pointer-events: none;
  }
  .dock {
    pointer-events: auto;
    width: min(816px, 100%);
    margin: 0 auto;
    padding: 18px 22px;
    border-radius: 24px;
    background: var(--surface);
    border: 1px solid var(--line);
    box-shadow: 0 1px 2px rgb(0 0 0 / 0.06), 0 12px 36px rgb(0 0 0 / 0.14);
  }
  .row {
    display: flex;
    align-items: center;
    gap: 16px;
  }
  voice-orb {
    width: 84px;
    margin: -12px -4px -12px -12px;
    flex: none;
  }
  .words {
    flex: 1;
    min-width: 0;
  }
  .title {
    font: 400 23px/1.2 var(--serif);
    letter-spacing: -0.01em;
  }
  .hint {
    color: var(--ink-3);
    font-size: 14px;
    text-wrap: balance;
  }
  .title + .hint {
    margin-top: 3px;
  }
  .lines {
    min-height: 50px;
  }
  .lines p {
    font: 400 18px/1.4 var(--serif);
    overflow: hidden;
    text-overflow: ellipsis;
    display: -webkit-box;
    -webkit-box-orient: vertical;
    -webkit-line-clamp: 2;
  }
  .lines .user {
    color: var(--ink-3);
  }
  .actions {
    display: flex;
    gap: 10px;
    flex: none;
  }
  .composer {
    display: flex;
    gap: 10px;
    margin-top: 14px;
  }
  .composer form {
    position: relative;
    flex: 1;
    min-width: 0;
  }
  .composer input {
    min-height: 44px;
    border-radius: 22px;
    padding: 0 50px 0 18px;
  }
  .composer .send {
    position: absolute;
    right: 4px;
    top: 4px;
    width: 36px;
    min-height: 36px;
    padding: 0;
    display: grid;
    place-items: center;
    border: 0;
    background: var(--accent);
    color: var(--on-accent);
  }
  .composer > button {
    min-height: 44px;
    flex: none;
  }
  .mic {
    display: inline-flex;
    align-items: center;
    gap: 10px;
  }
  .mic[aria-pressed="true"] {
    border-color: var(--danger);
    color: var(--danger);
  }
  .dock:has(sign-in, fault-screen) {
    width: min(524px, 100%);
    padding: 24px 28px;
  }
  .notice {
    margin-top: 12px;
    padding: 8px 14px;
    border-radius: var(--radius);
    background: var(--danger-soft);
    color: var(--danger);
    font-size: 14px;
  }
  @media (max-width: 560px) {
    :host {
      padding: 0 12px calc(12px + env(safe-area-inset-bottom));
    }
    .dock {
      padding: 16px;
    }
    .row {
      flex-wrap: wrap;
    }
    voice-orb {
      width: 64px;
    }
    .actions {
      flex: 1 1 100%;
    }
    .actions button {
      flex: 1;
    }
  }
`;
