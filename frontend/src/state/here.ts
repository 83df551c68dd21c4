import type { PresenceData } from '@klatsch/contracts'

/** Who is here and who is typing, for what is on the screen; what is missing is not known. */
export interface Here {
  /** By user id. */
  readonly people: Readonly<Record<string, PresenceData>>
  /** By room: user ids. */
  readonly typing: Readonly<Record<string, readonly string[]>>
  /** By room: how many members are here. */
  readonly online: Readonly<Record<string, number>>
}

export type HereAction =
  | { readonly type: 'present'; readonly user: string; readonly presence: PresenceData }
  | { readonly type: 'typing'; readonly room: string; readonly users: readonly string[] }
  | { readonly type: 'online'; readonly room: string; readonly count: number }

export const nobodyHere: Here = { people: {}, typing: {}, online: {} }

export function evolveHere(here: Here, action: HereAction): Here {
  switch (action.type) {
    case 'present':
      return { ...here, people: { ...here.people, [action.user]: action.presence } }
    case 'typing':
      return { ...here, typing: { ...here.typing, [action.room]: action.users } }
    case 'online':
      return { ...here, online: { ...here.online, [action.room]: action.count } }
  }
}
