/** Trades a server key for the page's cookie. The key is in the field and in one request, nowhere else. */

import { css, html, LitElement, nothing } from "lit";
import { base } from "./theme.js";

/** Fires `sign-in` with the key as detail. */
export class SignIn extends LitElement {
  static override properties = { problem: {}, busy: { type: Boolean } };
  /** Why the last attempt failed. */
  declare problem: string;
  declare busy: boolean;

  static override styles = [
    base,
    css`
      :host {
        display: block;
        width: 100%;
        max-width: 400px;
      }
      h2 {
        font-size: 30px;
      }
      p {
        margin-top: 10px;
        color: var(--ink-2);
      }
      form {
        margin-top: 24px;
        display: grid;
        gap: 16px;
        justify-items: start;
      }
      label {
        width: 100%;
      }
      #about {
        margin-top: 24px;
        color: var(--ink-3);
      }
      .problem {
        color: var(--danger);
        margin: 0;
      }
    `,
  ];

  constructor() {
    super();
    this.problem = "";
    this.busy = false;
  }

  override render() {
    return html`<h2>Sign in</h2>
      <p>This server was started with keys. Enter one to talk.</p>
      <form @submit=${(event: SubmitEvent) => this.#submit(event)}>
        <label class="field"
          >Server key
          <input name="key" type="password" autocomplete="current-password" spellcheck="false" required
            aria-describedby="about" aria-invalid=${this.problem ? "true" : "false"} />
        </label>
        ${this.problem ? html`<p class="problem" role="alert">${this.problem}</p>` : nothing}
        <button class="primary" ?disabled=${this.busy}>${this.busy ? "Signing in…" : "Sign in"}</button>
      </form>
      <p class="small muted" id="about">The page keeps no key: the server turns it into a cookie that scripts cannot read.</p>`;
  }

  #submit(event: SubmitEvent): void {
    event.preventDefault();
    const key = new FormData(event.target as HTMLFormElement).get("key");
    this.dispatchEvent(new CustomEvent("sign-in", { detail: String(key ?? "").trim() }));
  }
}

customElements.define("sign-in", SignIn);
