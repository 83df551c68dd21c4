import { connect } from 'node:net'

/** Metadata request, version 1, about no topic: size, api key 3, version, correlation id, no client id, no topics. */
const request = Buffer.from('0000000e' + '0003' + '0001' + '00000001' + 'ffff' + '00000000', 'hex')
/** Size and correlation id come before the number of brokers in the answer. */
const BROKERS_AT = 8

/** Whether the broker on that port of 127.0.0.1 answers, and counts itself among those that serve. */
export function answersMetadata(port: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, signal }, () => socket.write(request))
    let answer = Buffer.alloc(0)
    const done = (yes: boolean) => {
      socket.destroy()
      resolve(yes)
    }
    socket.on('error', () => done(false))
    socket.on('close', () => done(false))
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk])
      if (answer.length >= BROKERS_AT + 4) done(answer.readInt32BE(BROKERS_AT) > 0)
    })
  })
}
