const TEXT_OID = 25

/** A `text[]` in Postgres' binary form: what costs the server the least to read. */
export function textArray(values: readonly (string | null)[]): Buffer {
  const parts = [int32s(values.length === 0 ? 0 : 1, values.includes(null) ? 1 : 0, TEXT_OID)]
  if (values.length > 0) parts.push(int32s(values.length, 1))
  for (const value of values) {
    if (value === null) parts.push(int32s(-1))
    else parts.push(int32s(Buffer.byteLength(value)), Buffer.from(value))
  }
  return Buffer.concat(parts)
}

/** An array of numbers, UUIDs or times in text form; nothing in these needs escaping. */
export const plainArray = (values: readonly (string | null)[]): string =>
  `{${values.map((value) => (value === null ? 'NULL' : `"${value}"`)).join(',')}}`

function int32s(...numbers: number[]): Buffer {
  const buffer = Buffer.alloc(4 * numbers.length)
  numbers.forEach((number, index) => {
    buffer.writeInt32BE(number, 4 * index)
  })
  return buffer
}
