import { useEffect, useState } from 'react'
import { Button } from '../../components/Button.tsx'
import { Dialog } from '../../components/Dialog.tsx'
import { Logo } from '../../components/Logo.tsx'
import { readLocal, writeLocal } from '../../lib/local.ts'
import { useMedia, WIDE } from '../../lib/media.ts'
import { useChat, useChatState } from '../chat-context.ts'
import { Composer } from '../composer/Composer.tsx'
import { ConnectionBar } from '../connection/ConnectionBar.tsx'
import type { Overlay } from '../Main.tsx'
import { Members } from '../members/Members.tsx'
import { Skeleton } from '../timeline/Skeleton.tsx'
import { Timeline } from '../timeline/Timeline.tsx'
import { JoinPane } from './JoinPane.tsx'
import { RoomDetails } from './RoomDetails.tsx'
import { RoomHeader } from './RoomHeader.tsx'
import { TypingLine } from './TypingLine.tsx'

const MEMBERS_SHOWN = 'klatsch.members'

/** The open room: its header, what was said, where one writes, and who is there. */
export function RoomPane({
  subject,
  show,
}: {
  subject: string | undefined
  show: (overlay: Overlay) => void
}) {
  const chat = useChat()
  const exists = useChatState((state) => (subject ? state.rooms[subject] !== undefined : false))
  const member = useChatState((state) => (subject ? (state.rooms[subject]?.member ?? false) : false))
  const listed = useChatState((state) => state.roomList !== 'loading')
  const [missing, setMissing] = useState(false)
  const wide = useMedia(WIDE)
  const [side, setSide] = useState(readLocal(MEMBERS_SHOWN) !== false)
  const [drawer, setDrawer] = useState(false)
  const [details, setDetails] = useState(false)

  useEffect(() => {
    if (!subject || !listed) return
    let current = true
    void chat.open(subject).then((found) => current && setMissing(!found))
    return () => {
      current = false
    }
  }, [chat, subject, listed])

  useEffect(() => {
    chat.presence.look(subject)
    return () => chat.presence.look(undefined)
  }, [chat, subject])

  if (!subject) return <NoRoom show={show} />
  const toggle = () => {
    if (!wide) setDrawer(true)
    else {
      writeLocal(MEMBERS_SHOWN, !side)
      setSide(!side)
    }
  }
  const open = member && (wide ? side : drawer)
  return (
    <div
      className={`grid min-h-0 min-w-0 ${member && wide && side ? 'grid-cols-[minmax(0,1fr)_16rem]' : 'grid-cols-[minmax(0,1fr)]'}`}
    >
      <main className="flex min-h-0 min-w-0 flex-col bg-paper">
        <RoomHeader
          subject={subject}
          missing={missing}
          membersOpen={open}
          toggleMembers={toggle}
          showDetails={() => setDetails(true)}
        />
        <ConnectionBar />
        {exists && member ? (
          <>
            <Timeline subject={subject} />
            <TypingLine subject={subject} />
            <Composer subject={subject} />
          </>
        ) : (
          <JoinPane subject={subject} missing={missing} show={show} />
        )}
      </main>
      {member && wide && side && (
        <aside aria-label="Members" className="min-h-0 border-l border-line bg-side">
          <Members subject={subject} />
        </aside>
      )}
      {member && !wide && drawer && (
        <Dialog title="Members" place="right" onClose={() => setDrawer(false)}>
          <Members subject={subject} inDialog />
        </Dialog>
      )}
      {member && details && <RoomDetails subject={subject} close={() => setDetails(false)} />}
    </div>
  )
}

function NoRoom({ show }: { show: (overlay: Overlay) => void }) {
  const loading = useChatState((state) => state.roomList === 'loading')
  return (
    <main className="flex min-h-0 flex-col bg-paper">
      <ConnectionBar />
      {loading && (
        <div className="mt-auto animate-late">
          <Skeleton />
        </div>
      )}
      {!loading && (
        <div className="m-auto max-w-sm animate-late p-8 text-center">
          <span className="inline-block opacity-80">
            <Logo size={56} />
          </span>
          <p className="mt-4 font-serif text-2xl font-semibold">Where to?</p>
          <p className="mt-2 mb-5 text-soft">Choose a room on the left, or find one to join.</p>
          <Button kind="primary" onClick={() => show({ kind: 'finder' })}>
            Find a room
          </Button>
        </div>
      )}
    </main>
  )
}
