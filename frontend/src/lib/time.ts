const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' })
const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' })
const dated = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'long', year: 'numeric' })
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' })

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
