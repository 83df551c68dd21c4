import { useEffect, useState } from 'react'
import type { Checks } from '../../connection/history.ts'
import { useChat } from '../chat-context.ts'

/** Figures that run are read now and then, so that they do not flicker. */
const LOOK_MS = 1_000

/** What this page has checked. */
export function useCounts(): Checks {
  const chat = useChat()
  const [counts, setCounts] = useState(chat.counts)
  useEffect(() => {
    const look = () =>
      setCounts((before) => {
        const now = chat.counts()
        const same = Object.entries(now).every(([name, count]) => before[name as keyof Checks] === count)
        return same ? before : now
      })
    look()
    const timer = setInterval(look, LOOK_MS)
    return () => clearInterval(timer)
  }, [chat])
  return counts
}
