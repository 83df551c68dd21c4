import { createContext, use } from 'react'
import type { Chat } from '../connection/chat.ts'
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
