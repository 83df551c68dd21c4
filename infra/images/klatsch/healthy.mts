// The health check of our containers: ready means it does its work, so that start order can rest on it.
const url = `http://127.0.0.1:${process.env.OPS_PORT ?? process.env.PORT}/readyz`
try {
  const answer = await fetch(url, { signal: AbortSignal.timeout(4_000) })
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
