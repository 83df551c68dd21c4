/**
 * Whether a page may open a socket here: the page this server serves, and those allowed by name.
 * No Origin means no browser: other clients carry no ambient credentials, so there is nothing to protect.
 */
export function originAllowed(
  origin: string | undefined,
  host: string | undefined,
  allowed: readonly string[],
): boolean {
  if (origin === undefined) return true
  if (allowed.includes(origin)) return true
  try {
    return host !== undefined && new URL(origin).host === host.toLowerCase()
  } catch {
    return false
  }
}
