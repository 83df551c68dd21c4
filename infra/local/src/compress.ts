import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, gzipSync } from 'node:zlib'

/** What fits into a packet anyway is not worth another file. */
const SMALL_BYTES = 1_200
const SHRINKS = /\.(html|js|css|svg|json|webmanifest)$/

/** Lays each file that shrinks down once more, as small as can be (`.br`, `.gz`), so that nobody does so while people wait. */
export function compressFiles(folder: string): void {
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!SHRINKS.test(name)) continue
    const path = join(folder, name)
    const bytes = readFileSync(path)
    if (bytes.length < SMALL_BYTES) continue
    writeFileSync(`${path}.br`, brotliCompressSync(bytes))
    writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }))
  }
}
