import { DIGEST_TYPE, type Digest, type StreamTip } from '@klatsch/contracts'
import { textFrame } from './text-frame.ts'

/** A digest as a finished frame. It says the same on every gateway, so it has the same id there. */
export function digestFrame(subject: string, { seq, messageNo, time }: StreamTip): Buffer {
  const digest: Digest = {
    specversion: '1.0',
    id: `${subject}-${seq}`,
    source: 'gateway',
    type: DIGEST_TYPE,
    subject,
    time,
    datacontenttype: 'application/json',
    data: { head: seq, messageNo, lastActivity: time },
  }
  return textFrame(Buffer.from(JSON.stringify(digest)))
}
