/** Keeps a phone's screen on while somebody talks: a dark screen takes the microphone away. */

export class WakeLock {
  #wanted = false;
  #lock: WakeLockSentinel | undefined;
  readonly #seen = (): void => void this.#take();

  /** Whether the screen is being kept on now. */
  get held(): boolean {
    return this.#lock !== undefined && !this.#lock.released;
  }

  keep(wanted: boolean): void {
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    if (wanted) {
      // Browsers drop the lock with the page out of sight and never give it back by themselves.
      document.addEventListener("visibilitychange", this.#seen);
      void this.#take();
      return;
    }
    document.removeEventListener("visibilitychange", this.#seen);
    void this.#lock?.release();
    this.#lock = undefined;
  }

  async #take(): Promise<void> {
    // Absent on insecure origins and in older browsers, whatever the types say.
    const wakeLock = navigator.wakeLock as globalThis.WakeLock | undefined;
    if (!wakeLock || document.visibilityState !== "visible" || this.held) return;
    try {
      const lock = await wakeLock.request("screen");
      if (this.#wanted) this.#lock = lock;
      else void lock.release();
    } catch (error) {
      // A phone that saves its battery says no; the conversation goes on.
      if (!(error instanceof DOMException)) throw error;
    }
  }
}
