import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react'
import { onScrollTimeline } from './scroll.ts'

/** Nearer than this to the end counts as being there. Pixels. */
const AT_END = 60
/** Nearer than this to the top, and what is above is fetched. Pixels. */
const NEAR_TOP = 900

interface Anchor {
  readonly key: string
  /** Distance of its upper edge from that of the view. */
  readonly top: number
}

export interface Following {
  readonly scroller: RefObject<HTMLDivElement | null>
  readonly content: RefObject<HTMLDivElement | null>
  readonly atEnd: boolean
  readonly toEnd: (behavior?: ScrollBehavior) => void
}

/**
 * Keeps the view where the reader's eyes are: at the end when they are at the end, and otherwise on the same message,
 * whatever is added above or below. It begins where the new messages do; `arriving`: they are still on their way.
 * `version` changes with the content; `near` hears when the top comes close.
 */
export function useFollowing(
  version: unknown,
  ready: boolean,
  arriving: boolean,
  nearTop: () => void,
): Following {
  const scroller = useRef<HTMLDivElement>(null)
  const content = useRef<HTMLDivElement>(null)
  const pinned = useRef(true)
  const anchor = useRef<Anchor>(undefined)
  const started = useRef(false)
  /** Where the view was put while new messages were arriving; somebody who scrolls away from there stays there. */
  const put = useRef<number>(undefined)
  const [atEnd, setAtEnd] = useState(true)
  const near = useRef(nearTop)
  near.current = nearTop

  const toEnd = useCallback((behavior: ScrollBehavior = 'instant') => {
    const view = scroller.current
    if (!view) return
    pinned.current = true
    setAtEnd(true)
    view.scrollTo({ top: view.scrollHeight, behavior })
  }, [])

  const note = useCallback(() => {
    const view = scroller.current
    if (!view) return
    pinned.current = view.scrollHeight - view.scrollTop - view.clientHeight < AT_END
    anchor.current = pinned.current ? undefined : firstVisible(view)
    setAtEnd(pinned.current)
  }, [])

  useLayoutEffect(() => {
    const view = scroller.current
    if (!view || !ready) return
    const untouched = put.current !== undefined && Math.abs(view.scrollTop - put.current) <= 1
    if (!started.current || untouched) {
      started.current = true
      const line = view.querySelector<HTMLElement>('[data-new]')
      const below = line ? view.scrollHeight - line.offsetTop : 0
      if (line && below > view.clientHeight) view.scrollTop = line.offsetTop - view.clientHeight / 4
      else view.scrollTop = view.scrollHeight
      put.current = arriving ? view.scrollTop : undefined
      note()
    } else if (pinned.current) view.scrollTop = view.scrollHeight
    else if (anchor.current) restore(view, anchor.current)
    if (view.scrollTop < NEAR_TOP) near.current()
  }, [version, ready, arriving, note])

  useEffect(() => {
    const view = scroller.current
    if (!view || !content.current) return
    const scrolled = () => {
      note()
      if (view.scrollTop < NEAR_TOP) near.current()
    }
    // The keyboard of a phone, a longer draft, a font that arrives: sizes change without the content changing.
    const resized = new ResizeObserver(() => {
      if (!started.current) return
      if (pinned.current) view.scrollTop = view.scrollHeight
      else if (anchor.current) restore(view, anchor.current)
    })
    view.addEventListener('scroll', scrolled, { passive: true })
    resized.observe(view)
    resized.observe(content.current)
    const stop = onScrollTimeline((where) => {
      if (where === 'end') toEnd()
      else view.scrollBy({ top: view.clientHeight * (where === 'up' ? -0.85 : 0.85), behavior: 'smooth' })
    })
    return () => {
      view.removeEventListener('scroll', scrolled)
      resized.disconnect()
      stop()
    }
  }, [note, toEnd])

  return { scroller, content, atEnd, toEnd }
}

/** The first message that is at least partly in the view, found by halving: they stand one under the other. */
function firstVisible(view: HTMLElement): Anchor | undefined {
  const messages = view.querySelectorAll<HTMLElement>('[data-key]')
  const edge = view.getBoundingClientRect().top
  let low = 0
  let high = messages.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (messages[middle]!.getBoundingClientRect().bottom <= edge) low = middle + 1
    else high = middle
  }
  const found = messages[low]
  return found && { key: found.dataset.key ?? '', top: found.getBoundingClientRect().top - edge }
}

function restore(view: HTMLElement, anchor: Anchor): void {
  const found = view.querySelector<HTMLElement>(`[data-key="${CSS.escape(anchor.key)}"]`)
  if (!found) return
  const moved = found.getBoundingClientRect().top - view.getBoundingClientRect().top - anchor.top
  if (Math.abs(moved) >= 1) view.scrollTop += moved
}
