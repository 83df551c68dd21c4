import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs'

const MOST_BYTES = 5 * 1024 * 1024

/** Appends lines to a file; at 5 MB it becomes `<file>.1` and a new one begins. A full disk loses lines, nothing else. */
export function logFile(path: string): { line(text: string): void; close(): void } {
  let fd = openSync(path, 'a', 0o600)
  let bytes = fstatSync(fd).size
  let closed = false
  return {
    line(text) {
      if (closed) return
      try {
        bytes += writeSync(fd, `${text}\n`)
        if (bytes < MOST_BYTES) return
        closeSync(fd)
        renameSync(path, `${path}.1`)
        fd = openSync(path, 'a', 0o600)
        bytes = 0
      } catch {
        // Nowhere to say it.
      }
    },
    close() {
      closed = true
      closeSync(fd)
    },
  }
}
