import { useEffect, useState } from 'react'

/** The time at the last midnight that passed, or when first asked: changes when the names of days do. */
export function useToday(): number {
  const [today, setToday] = useState(Date.now)
  useEffect(() => {
    const now = new Date()
    const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1).getTime()
    const timer = setTimeout(() => setToday(Date.now()), midnight - now.getTime() + 1_000)
    return () => clearTimeout(timer)
  }, [today])
  return today
}

const MINUTE_MS = 60_000

/** The time, a minute old at most. */
export function useMinute(): number {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), MINUTE_MS)
    return () => clearInterval(timer)
  }, [])
  return now
}
