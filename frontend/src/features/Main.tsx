import { GLOBAL_ROOM } from '@klatsch/contracts'
import { useEffect, useRef, useState } from 'react'
import { readLocal, writeLocal } from '../lib/local.ts'
import { NARROW, useMedia } from '../lib/media.ts'
import { goTo, useRoute } from '../lib/route.ts'
import { myRooms, totalUnread } from '../state/selectors.ts'
import { AuditDialog } from './audit/AuditDialog.tsx'
import { useChat, useChatState } from './chat-context.ts'
import type { EntryMode } from './entry/EntryScreen.tsx'
import { LogOutDialog } from './LogOutDialog.tsx'
import { RoomPane } from './room/RoomPane.tsx'
import { CreateRoomDialog } from './rooms/CreateRoomDialog.tsx'
import { RoomFinder } from './rooms/RoomFinder.tsx'
import { RoomsPane } from './rooms/RoomsPane.tsx'
import { StatusDialog } from './StatusDialog.tsx'
import { useShortcuts } from './shortcuts.ts'

export type Overlay =
  | { readonly kind: 'finder' }
  | { readonly kind: 'create'; readonly name: string }
  | { readonly kind: 'log-out'; readonly next: EntryMode }
  | { readonly kind: 'status' }
  | { readonly kind: 'audit' }

const LAST_ROOM = 'klatsch.room'

/** What one sees once inside: the rooms, and the one that is open. */
export function Main({ logOut }: { logOut: (next: EntryMode) => void }) {
  const chat = useChat()
  const subject = useRoute()
  const narrow = useMedia(NARROW)
  const [overlay, setOverlay] = useState<Overlay>()
  const me = useChatState((state) => state.me)
  useStartingRoom(subject)
  useShortcuts({ subject, find: () => setOverlay((now) => (now ? now : { kind: 'finder' })) })
  useTitle(subject)

  useEffect(() => {
    if (subject) writeLocal(LAST_ROOM, subject)
  }, [subject])

  const close = () => setOverlay(undefined)
  return (
    <div className="grid h-dvh grid-cols-1 overflow-hidden md:grid-cols-[17rem_minmax(0,1fr)]">
      {(!narrow || !subject) && <RoomsPane current={subject} alone={narrow} show={setOverlay} />}
      {(!narrow || subject) && <RoomPane key={subject} subject={subject} show={setOverlay} />}
      {overlay?.kind === 'finder' && <RoomFinder show={setOverlay} close={close} />}
      {overlay?.kind === 'create' && !me.guest && <CreateRoomDialog name={overlay.name} close={close} />}
      {overlay?.kind === 'status' && <StatusDialog close={close} />}
      {overlay?.kind === 'audit' && <AuditDialog close={close} />}
      {overlay?.kind === 'log-out' && (
        <LogOutDialog
          next={overlay.next}
          logOut={() => logOut(overlay.next)}
          close={close}
          store={chat.store}
        />
      )}
    </div>
  )
}

/** Whoever comes in lands where they were last, or where everyone is. */
function useStartingRoom(subject: string | undefined): void {
  const rooms = useChatState(myRooms)
  const ready = useChatState((state) => state.roomList === 'ready')
  const done = useRef(false)
  useEffect(() => {
    // Somebody new joins the room that everyone shares a moment after they came.
    if (subject) done.current = true
    if (done.current || !ready || rooms.length === 0) return
    done.current = true
    const before = readLocal(LAST_ROOM)
    const room =
      rooms.find((one) => one.subject === before) ??
      rooms.find((one) => one.subject === GLOBAL_ROOM) ??
      rooms[0]
    if (room) goTo(room.subject, 'replace')
  }, [ready, rooms, subject])
}

function useTitle(subject: string | undefined): void {
  const unread = useChatState(totalUnread)
  const name = useChatState((state) => (subject ? state.rooms[subject]?.name : undefined))
  useEffect(() => {
    document.title = `${unread > 0 ? `(${unread}) ` : ''}${name ? `${name} · ` : ''}Klatsch`
  }, [unread, name])
}
