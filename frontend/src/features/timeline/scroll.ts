export type ScrollTo = 'end' | 'up' | 'down'

let scroll: ((where: ScrollTo) => void) | undefined

/** Moves the timeline on the screen, if there is one: for keys pressed where one writes. */
export const scrollTimeline = (where: ScrollTo): void => scroll?.(where)

/** The timeline on the screen says how it is moved. The answer ends it. */
export function onScrollTimeline(move: (where: ScrollTo) => void): () => void {
  scroll = move
  return () => {
    if (scroll === move) scroll = undefined
  }
}
