const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' })
const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' })
const dated = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'long', year: 'numeric' })
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' })

const ago = new Intl.RelativeTimeFormat(undefined, { style: 'narrow' })
const short = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' })

const capital = (text: string): string => text.charAt(0).toLocaleUpperCase() + text.slice(1)

export const clockTime = (at: number): string => clock.format(at)
export const fullTime = (at: number): string => full.format(at)

/** `Today`, `Yesterday`, `Monday, 3 March`, and with the year when it is another one. */
export function dayName(at: number, now: number): string {
  const day = new Date(at)
  const today = new Date(now)
  for (const back of [0, 1]) {
    const other = new Date(today.getFullYear(), today.getMonth(), today.getDate() - back)
    if (other.toDateString() === day.toDateString()) return capital(relative.format(-back, 'day'))
  }
  return (day.getFullYear() === today.getFullYear() ? weekday : dated).format(at)
}

/** `5 min ago`, `3 hr ago`, `2 days ago`, and the day itself after a week. */
export function timeAgo(at: number, now: number): string {
  const minutes = Math.max(0, Math.floor((now - at) / 60_000))
  if (minutes < 1) return 'just now'
  if (minutes < 60) return ago.format(-minutes, 'minute')
  if (minutes < 24 * 60) return ago.format(-Math.floor(minutes / 60), 'hour')
  return minutes < 7 * 24 * 60 ? ago.format(-Math.floor(minutes / 1_440), 'day') : short.format(at)
}
