/**
 * Which responses run, and when the page may ask for another. Pure.
 *
 * The server allows one response at a time in a conversation. A page asks for one after typed text and after a
 * function's result, possibly while another runs or while the person speaks: then the wish waits here.
 */

export interface ResponseWish {
  readonly instructions?: string;
}

export class Responses {
  readonly #active = new Set<string>();
  #wish: ResponseWish | undefined;
  #inFlight: { eventId: string; wish: ResponseWish } | undefined;
  #userSpeaking = false;

  get active(): ReadonlySet<string> {
    return this.#active;
  }

  /** Something is being generated or is about to be. */
  get busy(): boolean {
    return this.#active.size > 0 || this.#inFlight !== undefined || this.#wish !== undefined;
  }

  /** Ask for a response as soon as that is allowed. A later wish replaces an earlier one that still waits. */
  want(wish: ResponseWish): void {
    this.#wish = wish;
  }

  /** The wish to send now, if any; report its `event_id` with `sent`. */
  due(): ResponseWish | undefined {
    if (this.#userSpeaking || this.#active.size > 0 || this.#inFlight) return undefined;
    return this.#wish;
  }

  sent(eventId: string): void {
    if (!this.#wish) return;
    this.#inFlight = { eventId, wish: this.#wish };
    this.#wish = undefined;
  }

  speechStarted(): void {
    this.#userSpeaking = true;
  }

  /** A turn of the person ended without anything to answer. */
  nothingSaid(): void {
    this.#userSpeaking = false;
  }

  /** A response began. One the server made by itself answers all the conversation holds, so a waiting wish is met. */
  created(responseId: string): void {
    this.#active.add(responseId);
    this.#userSpeaking = false;
    if (this.#inFlight) this.#inFlight = undefined;
    else this.#wish = undefined;
  }

  done(responseId: string): void {
    this.#active.delete(responseId);
  }

  /** Our request was refused; if only because another response runs, it is tried again after that one. */
  refused(eventId: string | null, code: string | null): void {
    if (!this.#inFlight || this.#inFlight.eventId !== eventId) return;
    if (code === "conversation_already_has_active_response") this.#wish ??= this.#inFlight.wish;
    this.#inFlight = undefined;
  }

  clear(): void {
    this.#active.clear();
    this.#wish = undefined;
    this.#inFlight = undefined;
    this.#userSpeaking = false;
  }
}
