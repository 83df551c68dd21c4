import type { Socket } from 'node:net'

/**
 * Closes a connection so that the other side learns of it by a reset. One whose end was said in this very moment cannot be
 * reset any more: Node would keep it open for ever, and the process with it. Its end is all that the other side is told.
 */
export function reset(socket: Socket): void {
  if (socket.writableEnded && socket.writableLength === 0) socket.destroy()
  else socket.resetAndDestroy()
}
