/** What is said on a visitor's socket, and whether everything has come that should. */
export interface Talk {
  /** The server has taken the visitor in. */
  readonly greeted: boolean
  readonly whole: boolean
  /** What it waits for, in words. */
  readonly missing: string
  /** What must be had from now on: streams with their seqs. */
  expect(targets: Readonly<Record<string, number>>): void
  /** How long the server asked it to stay away, besides the client's own wait. */
  readonly retryAfterMs: number
  /** A socket is open. `look` is to be called when something changed that did not come on it. */
  begin(send: (text: string) => void, look: () => void): void
  take(text: string): void
  /** The socket is gone. */
  cut(): void
}

/** With a server that knows no streams: it is whole with so many frames after an opening. */
export class Counting implements Talk {
  readonly retryAfterMs = 0
  greeted = false
  #frames = 0
  readonly #each: number

  constructor(each: number) {
    this.#each = each
  }

  get missing(): string {
    return this.greeted ? 'frames' : 'a socket'
  }

  get whole(): boolean {
    return this.greeted && this.#frames >= this.#each
  }

  /** What came before an opening does not count. */
  expect(): void {
    this.cut()
  }

  begin(): void {
    this.greeted = true
  }

  take(): void {
    this.#frames += 1
  }

  cut(): void {
    this.greeted = false
    this.#frames = 0
  }
}
