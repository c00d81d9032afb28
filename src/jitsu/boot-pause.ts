// The pause after a failed boot: whoever asks meanwhile is told of the failure, and nothing is started.

/** The first pause; each failure in a row doubles it. */
export const FIRST_PAUSE_MS = 1000
export const LONGEST_PAUSE_MS = 60_000

/** How long after failure number `failures` (from 1) nothing is started. */
export const pauseAfter = (failures: number): number =>
  Math.min(FIRST_PAUSE_MS * 2 ** Math.min(failures - 1, 16), LONGEST_PAUSE_MS)

export class BootPause {
  #failures = 0
  #untilMs = Number.NEGATIVE_INFINITY
  #why = ''

  /** @returns for how long */
  failed(nowMs: number, why: string): number {
    const pauseMs = pauseAfter(++this.#failures)
    this.#untilMs = nowMs + pauseMs
    this.#why = why
    return pauseMs
  }

  succeeded(): void {
    this.#failures = 0
    this.#untilMs = Number.NEGATIVE_INFINITY
  }

  /** Why not, and for how long, or undefined when a boot may be tried. */
  at(nowMs: number): { readonly why: string; readonly remainingMs: number; readonly failures: number } | undefined {
    const remainingMs = this.#untilMs - nowMs
    return remainingMs > 0 ? { why: this.#why, remainingMs, failures: this.#failures } : undefined
  }
}
