import { useEffect } from 'react'
import { goTo } from '../lib/route.ts'
import { myRooms } from '../state/selectors.ts'
import { useChat } from './chat-context.ts'

export const COMPOSER_ID = 'composer'

export const modKey = /mac|iphone|ipad/i.test(navigator.userAgent) ? '⌘' : 'Ctrl '

/** Ctrl/⌘ K finds a room, Alt ↑ and ↓ go through them, and typing anywhere writes a message. */
export function useShortcuts({ subject, find }: { subject: string | undefined; find: () => void }): void {
  const { store } = useChat()
  useEffect(() => {
    function pressed(event: KeyboardEvent): void {
      if (event.defaultPrevented || event.isComposing) return
      if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === 'k') {
        event.preventDefault()
        find()
        return
      }
      if (document.querySelector('dialog[open]')) return
      if (event.altKey && (event.key === 'ArrowUp' || event.key === 'ArrowDown')) {
        event.preventDefault()
        const rooms = myRooms(store.get())
        const at = rooms.findIndex((room) => room.subject === subject)
        const next = rooms.at(
          (Math.max(at, event.key === 'ArrowUp' && at < 0 ? 0 : at) + (event.key === 'ArrowUp' ? -1 : 1)) %
            rooms.length,
        )
        if (next) goTo(next.subject)
        return
      }
      const written = event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey
      const target = event.target instanceof HTMLElement ? event.target : undefined
      if (written && event.key !== ' ' && !target?.closest('input, textarea, select, button, a')) {
        document.getElementById(COMPOSER_ID)?.focus()
      }
    }
    addEventListener('keydown', pressed)
    return () => removeEventListener('keydown', pressed)
  }, [store, subject, find])
}
