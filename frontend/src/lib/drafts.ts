import { readLocal, writeLocal } from './local.ts'

const KEY = 'klatsch.drafts'

/** What was written and not sent, by person and room; survives leaving the room and the page. */
export function readDraft(userId: string, room: string): string {
  const text = drafts()[`${userId} ${room}`]
  return typeof text === 'string' ? text : ''
}

export function writeDraft(userId: string, room: string, text: string): void {
  const { [`${userId} ${room}`]: _before, ...rest } = drafts()
  writeLocal(KEY, text.trim() === '' ? rest : { ...rest, [`${userId} ${room}`]: text })
}

function drafts(): Record<string, unknown> {
  const value = readLocal(KEY)
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
