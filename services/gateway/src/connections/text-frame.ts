/** An unmasked, unfragmented WebSocket text frame (RFC 6455 §5.2): built once, written to many sockets. */
export function textFrame(payload: Buffer): Buffer {
  const length = payload.length
  if (length < 126) {
    const frame = Buffer.allocUnsafe(2 + length)
    frame[0] = 0x81
    frame[1] = length
    payload.copy(frame, 2)
    return frame
  }
  if (length < 65_536) {
    const frame = Buffer.allocUnsafe(4 + length)
    frame[0] = 0x81
    frame[1] = 126
    frame.writeUInt16BE(length, 2)
    payload.copy(frame, 4)
    return frame
  }
  const frame = Buffer.allocUnsafe(10 + length)
  frame[0] = 0x81
  frame[1] = 127
  frame.writeBigUInt64BE(BigInt(length), 2)
  payload.copy(frame, 10)
  return frame
}

export function bodyOfTextFrame(frame: Buffer): Buffer {
  const length = frame[1]!
  return frame.subarray(length < 126 ? 2 : length === 126 ? 4 : 10)
}
