// A bot that says again what is said in a room: as a guest in the room of all, or with an account anywhere.
//   node examples/echo-bot.ts [http://localhost:8080 [room [name password]]]
import { connectAs } from '@klatsch/client'
import { knownEvent } from '@klatsch/contracts'

const [server = 'http://localhost:8080', room = 'global', name = 'echo', password] = process.argv.slice(2)
const { api, client } = await connectAs(server, (api) =>
  password ? api.login({ username: name, password }) : api.guest({ username: name }),
)
if (room !== 'global') await api.join(room)

client.on('event', (event) => {
  const said = knownEvent(event)
  if (event.subject !== `room:${room}` || said?.type !== 'chat.message.sent.v1') return
  const { text } = said.data
  if (!text.startsWith('Echo: '))
    client.command('chat.message.send.v1', event.subject, { text: `Echo: ${text}` })
})
