import { nameOf } from '../../lib/identity.ts'
import { useChatState } from '../chat-context.ts'

const nobody: readonly string[] = []
const list = new Intl.ListFormat('en', { type: 'conjunction' })

/** Who is typing here now. Always as high as a line, so that nothing moves when somebody begins. */
export function TypingLine({ subject }: { subject: string }) {
  const me = useChatState((state) => state.me.id)
  const users = useChatState((state) => state.here.typing[subject] ?? nobody)
  const people = useChatState((state) => state.people)
  // Isolated, so that a name written the other way does not turn the sentence.
  const names = users.filter((user) => user !== me).map((user) => `\u2068${nameOf(people[user])}\u2069`)
  const who = names.length > 3 ? 'Several people' : list.format(names)
  return (
    <p className="h-6 truncate px-5 text-[13px] leading-5 text-faint md:px-8">
      {names.length > 0 && `${who} ${names.length === 1 ? 'is' : 'are'} typing…`}
    </p>
  )
}
