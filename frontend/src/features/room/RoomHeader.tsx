import { Icon } from '../../components/Icon.tsx'
import { useChatState } from '../chat-context.ts'

export function RoomHeader({
  subject,
  missing,
  membersOpen,
  toggleMembers,
  showDetails,
}: {
  subject: string
  /** There is no such room for this person. */
  missing: boolean
  membersOpen: boolean
  toggleMembers: () => void
  showDetails: () => void
}) {
  const room = useChatState((state) => state.rooms[subject])
  return (
    <header className="border-b border-line pt-[env(safe-area-inset-top)]">
      <div className="flex min-h-15 items-center gap-1 px-2 md:pr-3 md:pl-6">
        <a href="#/" aria-label="All rooms" className="icon-button md:hidden">
          <Icon name="back" size={22} />
        </a>
        <div className="min-w-0 flex-1 py-2">
          {room ? (
            <>
              <h1 className="flex items-center gap-2 font-serif text-[1.2rem] leading-tight font-semibold tracking-tight">
                <span className="truncate">{room.name}</span>
                {room.visibility === 'private' && (
                  <span className="text-faint" title="Private: only members see it">
                    <Icon name="lock" size={15} />
                    <span className="sr-only">(private)</span>
                  </span>
                )}
              </h1>
              {room.topic !== '' && (
                <p className="truncate text-[13px] leading-tight text-soft" title={room.topic}>
                  {room.topic}
                </p>
              )}
            </>
          ) : missing ? (
            <h1 className="font-serif text-[1.2rem] font-semibold text-soft">Not here</h1>
          ) : (
            <div className="h-4 w-40 animate-shimmer rounded-full bg-press" />
          )}
        </div>
        {room?.member && (
          <>
            <button
              type="button"
              className="icon-button w-auto gap-1.5 px-2.5"
              aria-label={`Members: ${room.memberCount}`}
              aria-expanded={membersOpen}
              title={membersOpen ? 'Hide members' : 'Show members'}
              onClick={toggleMembers}
            >
              <Icon name="people" />
              <span className="text-sm tabular-nums">{room.memberCount}</span>
            </button>
            <button
              type="button"
              className="icon-button"
              aria-label="About this room"
              title="About this room: rename, leave"
              onClick={showDetails}
            >
              <Icon name="more" />
            </button>
          </>
        )}
      </div>
    </header>
  )
}
