import type { StreamPlace } from '../events.ts'
import type { Room } from '../people.ts'
import type { Stack } from '../stack.ts'

/** A message of a hundred characters, as people write them. */
export const MESSAGE_TEXT =
  'Did anyone look at the numbers from last night yet? I think the second run was better than the first'

/** Where these rooms' streams end. */
export async function placesOf({ sql }: Stack, rooms: readonly Room[]): Promise<StreamPlace[]> {
  const { rows } = await sql.query<{ stream: string; seq: string; chain: string }>(
    'SELECT stream, seq, chain FROM streams WHERE stream = ANY($1::text[])',
    [rooms.map((room) => room.subject)],
  )
  return rows.map(({ stream, seq, chain }) => ({ subject: stream, seq: Number(seq), chain }))
}
