import { CliError } from './stack.ts'

const times = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }
const sizes = { '': 1, k: 1_024, m: 1_024 ** 2 }

/** `500ms`, `30s`, `5m`, `1h`, in milliseconds. @throws CliError */
export function durationOf(option: string, word: string): number {
  const match = /^(\d{1,9})(ms|s|m|h)$/.exec(word)
  if (!match) throw new CliError(`${option} "${word}" is no duration. Say 500ms, 30s, 5m or 1h.`)
  return Number(match[1]) * times[match[2] as keyof typeof times]
}

/** `64k`, `2m`, `900`, in bytes. @throws CliError */
export function bytesOf(option: string, word: string): number {
  const match = /^(\d{1,9})(k|m|)$/i.exec(word)
  if (!match) throw new CliError(`${option} "${word}" is no number of bytes. Say 900, 64k or 2m.`)
  return Number(match[1]) * sizes[match[2]!.toLowerCase() as keyof typeof sizes]
}

/** @throws CliError */
export function numberOf(option: string, word: string | undefined): number | undefined {
  if (word === undefined) return undefined
  if (word.trim() === '' || !Number.isFinite(Number(word)))
    throw new CliError(`${option} "${word}" is no number.`)
  return Number(word)
}
