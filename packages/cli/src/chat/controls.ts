import type { Key } from 'node:readline'
import { type Draft, type Edit, edit, emptyDraft } from './editor.ts'
import type { Live } from './live.ts'
import type { Screen, View } from './screen.ts'
import { roomList, unreadOf } from './state.ts'
import { oneLine } from './text.ts'

/** Nearer to the first loaded row than this, and what is above is fetched. */
const NEAR_TOP = 15

const edits: Readonly<Record<string, Edit>> = {
  backspace: { kind: 'erase', what: 'before' },
  delete: { kind: 'erase', what: 'after' },
  left: { kind: 'move', to: 'left' },
  right: { kind: 'move', to: 'right' },
  home: { kind: 'move', to: 'start' },
  end: { kind: 'move', to: 'end' },
  'ctrl+a': { kind: 'move', to: 'start' },
  'ctrl+e': { kind: 'move', to: 'end' },
  'ctrl+left': { kind: 'move', to: 'word-left' },
  'ctrl+right': { kind: 'move', to: 'word-right' },
  'alt+b': { kind: 'move', to: 'word-left' },
  'alt+f': { kind: 'move', to: 'word-right' },
  'ctrl+w': { kind: 'erase', what: 'word' },
  'alt+backspace': { kind: 'erase', what: 'word' },
  'ctrl+u': { kind: 'erase', what: 'to-start' },
  'ctrl+k': { kind: 'erase', what: 'to-end' },
  'ctrl+d': { kind: 'erase', what: 'after' },
  'alt+return': { kind: 'insert', text: '\n' },
  enter: { kind: 'insert', text: '\n' },
}

export interface Controls {
  readonly view: View
  pressed(text: string | undefined, key: Key): void
  /** What is on the screen now, so that one can scroll in it. */
  painted(screen: Screen): void
  /** Before each picture: looks at a room that there is. */
  settle(): void
}

/** What the keys do: to the view, and to the chat. `changed`: the picture is not right any more. */
export function controls(live: Live, room: string, changed: () => void, leave: () => void): Controls {
  let view: View = {
    room,
    drafts: new Map(),
    bottom: undefined,
    panel: undefined,
    notice: undefined,
  }
  let screen: Screen | undefined
  let pasting = false

  const change = (news: Partial<View>) => {
    view = { ...view, ...news }
    changed()
  }
  const say = (notice: string) => change({ notice })
  const go = (subject: string) => change({ room: subject, bottom: undefined, panel: undefined })
  const draft = (): Draft => view.drafts.get(view.room) ?? emptyDraft
  const write = (now: Draft) => change({ drafts: new Map(view.drafts).set(view.room, now) })

  function typed(by: Edit): void {
    write(edit(draft(), by))
    const { text } = draft()
    live.typing(view.room, text.trim() !== '' && !/^\/(?!\/)/.test(text))
  }

  function step(by: number, wanted: (unread: number) => boolean = () => true): void {
    const list = roomList(live.state)
    const at = list.findIndex(({ subject }) => subject === view.room)
    for (let i = 1; i <= list.length; i += 1) {
      const next = list[(((at + by * i) % list.length) + list.length) % list.length]
      if (next && wanted(unreadOf(next))) {
        go(next.subject)
        return
      }
    }
  }

  function scroll(by: number): void {
    if (!screen) return
    const { rows, lowest, height } = screen.timeline
    const end = rows.length - 1
    const to = Math.max(Math.min(lowest + by, end), Math.min(height - 1, end))
    const key = rows[to]?.key
    const before = rows.slice(0, to).filter((row) => row.key === key).length
    change({ bottom: to >= end || key === undefined ? undefined : { key, row: before } })
    // A person asked for more: what failed is tried again.
    if (by < 0 && to <= height && live.state.rooms.get(view.room)?.failed) live.load(view.room)
  }

  function enter(): void {
    const text = draft()
      .text.replace(/^(?:\s*\n)+/, '')
      .trimEnd()
    if (text === '') return
    write(emptyDraft)
    change({ bottom: undefined })
    live.typing(view.room, false)
    const [, word = '', rest = ''] = /^\/([a-z]*)(?:\s+(.*))?$/s.exec(text) ?? []
    if (text.startsWith('/') && !text.startsWith('//')) obey(word, rest.trim())
    else live.send(view.room, text.replace(/^\/\//, '/'))
  }

  /** Goes where the task leads, or says why it did not work. */
  function after(task: Promise<string | undefined>): void {
    task.then(
      (subject) => subject !== undefined && go(subject),
      (error: unknown) => say(error instanceof Error ? error.message : String(error)),
    )
  }

  function obey(word: string, rest: string): void {
    const { room: subject } = view
    switch (word) {
      case 'join':
        if (rest === '') say('/join NAME: which room?')
        else after(live.join(rest))
        break
      case 'create':
        if (rest === '') say('/create NAME: what shall it be called?')
        else after(live.create(rest))
        break
      case 'leave':
        after(live.leave(subject).then(() => undefined))
        break
      case 'who':
        change({ panel: 'members' })
        break
      case 'retry':
        if (live.retry(subject) === 0) say('There is nothing to send again in this room.')
        break
      case 'discard':
        if (live.discard(subject) === 0) say('There is nothing to throw away in this room.')
        break
      case 'help':
        change({ panel: 'help' })
        break
      case 'quit':
        leave()
        break
      default:
        say(`There is no /${oneLine(word)}. /help lists what there is; // begins a message with one /.`)
    }
  }

  function act(name: string, text: string | undefined): void {
    const page = Math.max(1, (screen?.timeline.height ?? 10) - 2)
    const known = edits[name]
    if (known) {
      typed(known)
      return
    }
    switch (name) {
      case 'return':
        enter()
        break
      case 'escape':
        change({ bottom: undefined, panel: undefined })
        break
      case 'pageup':
        scroll(-page)
        break
      case 'pagedown':
        scroll(page)
        break
      case 'up':
      case 'down': {
        const by = name === 'up' ? -1 : 1
        // Without lines to move in, these are the wheel of the mouse.
        if (draft().text.includes('\n')) typed({ kind: 'move-line', by })
        else scroll(by)
        break
      }
      case 'alt+up':
      case 'ctrl+p':
        step(-1)
        break
      case 'alt+down':
      case 'ctrl+n':
        step(1)
        break
      case 'tab':
        step(1, (unread) => unread > 0)
        break
      default:
        if (text !== undefined && text >= ' ' && !/^(ctrl|alt)\+/.test(name)) {
          typed({ kind: 'insert', text })
        }
    }
  }

  return {
    get view() {
      return view
    },
    pressed(text, key) {
      live.touch()
      const name = nameOf(key)
      if (name === 'ctrl+c') {
        leave()
        return
      }
      change({ notice: undefined })
      if (name === 'paste-start' || name === 'paste-end') pasting = name === 'paste-start'
      else if (!pasting) act(name, text)
      else if (name === 'return' || name === 'enter') typed({ kind: 'insert', text: '\n' })
      else if (text !== undefined) typed({ kind: 'insert', text })
    },
    painted(now) {
      screen = now
      const { loaded, first, loading, failed } = live.state.rooms.get(view.room) ?? {}
      const near = now.timeline.lowest - now.timeline.height < NEAR_TOP
      if (near && loaded && loaded.from > (first ?? 1) && !loading && !failed) live.load(view.room)
    },
    settle() {
      const { rooms } = live.state
      // The room is gone: the first one that there is.
      const [next] = roomList(live.state)
      if (next && !rooms.has(view.room)) go(next.subject)
      live.look(view.room, view.bottom === undefined && view.panel === undefined)
    },
  }
}

/** `alt+up`; a lone Esc is what begins every key with Alt, and so comes as one. */
function nameOf({ name = '', ctrl, meta }: Key): string {
  return name === 'escape' ? name : `${ctrl ? 'ctrl+' : ''}${meta ? 'alt+' : ''}${name}`
}
