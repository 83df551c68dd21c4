import type { Api, SessionKeeper } from '@klatsch/client'
import type { User } from '@klatsch/contracts'
import { useEffect, useState } from 'react'
import { Toasts } from './components/Toasts.tsx'
import type { Chat } from './connection/chat.ts'
import { openChat } from './connection/open.ts'
import { ChatContext } from './features/chat-context.ts'
import { type EntryMode, EntryScreen } from './features/entry/EntryScreen.tsx'
import { Main } from './features/Main.tsx'
import { goTo } from './lib/route.ts'

/** Why nobody is logged in: at the beginning, by choice, or because the session ended by itself. */
type Away =
  | { readonly kind: 'new' }
  | { readonly kind: 'left'; readonly next: EntryMode }
  | { readonly kind: 'ended'; readonly next: EntryMode }

export function App({ server }: { server: { readonly api: Api; readonly session: SessionKeeper } }) {
  const { api, session } = server
  const [user, setUser] = useState<User | undefined>(session.current?.user)
  const [away, setAway] = useState<Away>({ kind: 'new' })
  const [chat, setChat] = useState<Chat>()

  useEffect(
    () =>
      session.onChange((now) => {
        // The same person with newer tokens is no change here.
        setUser((before) => (before?.id === now?.user.id ? before : now?.user))
      }),
    [session],
  )

  useEffect(() => {
    if (!user) return
    setAway({ kind: 'ended', next: user.guest ? 'guest' : 'login' })
    const opened = openChat(server, user)
    setChat(opened)
    return () => {
      setChat(undefined)
      void opened.close()
    }
  }, [user, server])

  async function logOut(next: EntryMode): Promise<void> {
    goTo(undefined, 'replace')
    setAway({ kind: 'left', next })
    await session.end()
  }

  if (!user) {
    return (
      <EntryScreen
        api={api}
        start={(started) => session.start(started)}
        notice={away.kind === 'ended' ? 'Your session has ended. Come in again to go on.' : undefined}
        initialMode={away.kind === 'new' ? 'guest' : away.next}
      />
    )
  }
  return (
    <>
      {chat && (
        <ChatContext value={chat}>
          <Main logOut={logOut} />
        </ChatContext>
      )}
      <Toasts />
    </>
  )
}
