import { type ClientFrame, clientFrameSchema, clientFrameTypes, firstIssue, limits } from '@klatsch/contracts'

export type ReadFrame =
  | { readonly kind: 'frame'; readonly frame: ClientFrame }
  /** Not JSON, or not an object with a type: nothing sensible can follow on this socket. */
  | { readonly kind: 'garbage' }
  | { readonly kind: 'unknown'; readonly type: string }
  | { readonly kind: 'malformed'; readonly detail: string; readonly id?: string }

/** Reads a text frame of a client. Never throws. */
export function readClientFrame(text: string): ReadFrame {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { kind: 'garbage' }
  }
  if (typeof value !== 'object' || value === null || !('type' in value) || typeof value.type !== 'string') {
    return { kind: 'garbage' }
  }
  if (!clientFrameTypes.has(value.type)) return { kind: 'unknown', type: value.type.slice(0, 50) }
  const id = 'id' in value && typeof value.id === 'string' ? { id: value.id.slice(0, 64) } : {}
  if (deeperThan(value, limits.nesting)) return { kind: 'malformed', detail: 'nested too deeply', ...id }
  const parsed = clientFrameSchema.safeParse(value, { reportInput: false })
  if (!parsed.success) return { kind: 'malformed', detail: firstIssue(parsed.error), ...id }
  return { kind: 'frame', frame: parsed.data }
}

function deeperThan(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return depth === 0 || Object.values(value).some((inner) => deeperThan(inner, depth - 1))
}
