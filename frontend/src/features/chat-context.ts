import { createContext, use } from 'react'
import type { Chat } from '../connection/chat.ts'
import { useLasting } from '../lib/lasting.ts'
import type { Person, State } from '../state/state.ts'
import { useStore } from '../state/store.ts'

export const ChatContext = createContext<Chat | undefined>(undefined)

export function useChat(): Chat {
  const chat = use(ChatContext)
  if (!chat) throw new Error('no chat here: this belongs inside a ChatContext')
  return chat
}

/** `select` must answer the same object as long as nothing in it changed. */
export const useChatState = <T>(select: (state: State) => T): T => useStore(useChat().store, select)

export const usePerson = (id: string): Person | undefined => useChatState((state) => state.people[id])

/** A cut shorter than this is nobody's business. */
const QUIET_MS = 900

/** Whether one is cut off, long enough to be told. */
export const useOffline = (): boolean =>
  useLasting(
    useChatState((state) => state.connection.kind !== 'connected'),
    QUIET_MS,
  )
