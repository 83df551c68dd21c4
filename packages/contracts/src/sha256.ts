import { sha256 as digest } from '@noble/hashes/sha2.js'

/** For browsers, where WebCrypto is asynchronous and missing on plain-HTTP addresses. */
export function sha256(text: string): string {
  const bytes = digest(new TextEncoder().encode(text))
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
}
