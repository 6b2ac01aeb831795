/**
 * The `/ui` endpoints that Parley gives its own pages: what runs here, signing in, and 60-second secrets.
 *
 * A page never holds a long-lived key: it trades one for an HttpOnly cookie, and the cookie for secrets.
 */

import { Fault } from "./faults.js";
import type { TransportKind } from "./transport.js";

export interface EngineRow {
  readonly stage: string;
  readonly name: string;
  readonly model: string;
  readonly licence: string;
  readonly source: string;
  readonly note: string;
}

export interface PageConfig {
  readonly version: string;
  readonly auth_required: boolean;
  readonly signed_in: boolean;
  /** How far the server is: its models load in the background after it began to listen. */
  readonly state: "starting" | "warming" | "ready" | "degraded" | "failed" | "draining";
  readonly engines: readonly EngineRow[];
  /** The language model is the demonstration brain. */
  readonly demo: boolean;
  readonly model: string;
  readonly voice: string;
}

export interface Secret {
  readonly value: string;
  /** Unix seconds. */
  readonly expires_at: number;
}

/** Talks to the server that served the page. */
export class PageApi {
  readonly #root: URL;

  constructor(root: URL = serverRoot()) {
    this.#root = root;
  }

  async config(): Promise<PageConfig> {
    return (await this.#call("GET", "ui/config")) as PageConfig;
  }

  /** Trade a key for the page's cookie. Raises `Fault("sign-in-needed")` with the server's sentence. */
  async login(key: string): Promise<void> {
    await this.#call("POST", "ui/login", { key });
  }

  async logout(): Promise<void> {
    await this.#call("POST", "ui/logout");
  }

  /** A secret to open one connection with. */
  async secret(): Promise<Secret> {
    return (await this.#call("POST", "ui/secret", {})) as Secret;
  }

  async #call(method: "GET" | "POST", path: string, body?: object): Promise<unknown> {
    const init: RequestInit = { method, credentials: "same-origin", cache: "no-store" };
    if (body) {
      init.body = JSON.stringify(body);
      init.headers = { "content-type": "application/json" };
    }
    let answer: Response;
    try {
      answer = await fetch(new URL(path, this.#root), init);
    } catch (error) {
      throw new Fault("server-gone", error instanceof Error ? error.message : "");
    }
    if (answer.ok) return answer.status === 204 ? undefined : readJson(answer);
    const problem = (await readJson(answer)) as { error?: { message?: string } } | undefined;
    const detail = problem?.error?.message ?? `The server answered ${answer.status}.`;
    if (answer.status === 401 || answer.status === 403) throw new Fault("sign-in-needed", detail);
    if (answer.status === 429 && path === "ui/login") throw new Fault("sign-in-needed", detail);
    if (answer.status === 429 || answer.status === 503) throw new Fault("at-capacity", detail);
    throw new Fault("server-gone", detail);
  }
}

async function readJson(answer: Response): Promise<unknown> {
  const text = await answer.text();
  try {
    return text ? JSON.parse(text) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The address of the server that served this page, a proxy's path prefix included: the folder above `assets/`. */
export function serverRoot(): URL {
  return new URL("..", import.meta.url);
}

/** Where the server that served this page takes connections: a WebSocket, or the offer of a call. */
export function realtimeUrl(root: URL, transport: TransportKind, model: string): string {
  const url = new URL(transport === "webrtc" ? "v1/realtime/calls" : "v1/realtime", root);
  url.search = `model=${encodeURIComponent(model)}`;
  if (transport === "websocket") url.protocol = root.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}
