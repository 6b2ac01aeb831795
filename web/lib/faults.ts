/**
 * Everything that can keep a person from talking, each with a kind that a page turns into its own screen. Pure.
 *
 * Not here: wording of the screens (that is the page's), events that leave the session usable (those are notices).
 */

export type FaultKind =
  | "microphone-denied"
  | "microphone-missing"
  | "microphone-busy"
  | "microphone-lost"
  | "insecure-origin"
  | "sound-blocked"
  | "server-gone"
  | "server-starting"
  | "no-media-path"
  | "session-expired"
  | "sign-in-needed"
  | "at-capacity"
  | "refused";

/** Raised by the library; `detail` is the browser's or the server's own sentence, for the curious. */
export class Fault extends Error {
  readonly kind: FaultKind;
  readonly detail: string;

  constructor(kind: FaultKind, detail = "") {
    super(detail || kind);
    this.name = "Fault";
    this.kind = kind;
    this.detail = detail;
  }
}

/** What a rejected `getUserMedia` means. Source: W3C Media Capture and Streams, section 10.2. */
export function microphoneFault(reason: { name?: string; message?: string }): Fault {
  const detail = reason.message ?? "";
  switch (reason.name) {
    case "NotAllowedError":
    case "SecurityError":
    case "PermissionDeniedError":
      return new Fault("microphone-denied", detail);
    case "NotFoundError":
    case "OverconstrainedError":
    case "DevicesNotFoundError":
      return new Fault("microphone-missing", detail);
    case "NotReadableError":
    case "AbortError":
    case "TrackStartError":
      return new Fault("microphone-busy", detail);
    default:
      return new Fault("microphone-missing", detail);
  }
}

/** What a refused request means, from its status and the body the API sends with it. */
export function requestFault(status: number, body: string): Fault {
  const { code, message } = readProblem(body);
  const detail = message ?? `The server answered ${status}.`;
  if (status === 401 || status === 403) return new Fault("sign-in-needed", detail);
  if (code === "server_starting") return new Fault("server-starting", detail);
  if (status === 429 || status === 503) return new Fault("at-capacity", detail);
  return new Fault(status >= 500 && message === undefined ? "server-gone" : "refused", detail);
}

function readProblem(body: string): { code?: string; message?: string } {
  try {
    return (JSON.parse(body) as { error?: { code?: string; message?: string } } | null)?.error ?? {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

/** What the end of a connection means; `lastError` is the last `error` event before it. */
export function closeFault(
  close: { code: number; reason: string },
  lastError: { code: string | null; message: string } | undefined,
): Fault {
  const detail = lastError?.message || close.reason;
  if (lastError?.code === "session_expired") return new Fault("session-expired", detail);
  if (close.code === 3000 || lastError?.code === "invalid_api_key") return new Fault("sign-in-needed", detail);
  if (lastError?.code === "server_starting") return new Fault("server-starting", detail);
  if (close.code === 1013 || /capacity/.test(lastError?.code ?? "")) return new Fault("at-capacity", detail);
  if (close.code === 1006 || close.code === 1001 || close.code === 1012 || close.code === 1011) {
    return new Fault("server-gone", detail);
  }
  return new Fault("refused", detail || `The server closed the connection (${close.code}).`);
}
