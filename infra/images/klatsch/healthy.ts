// The health check of our containers: ready means it does its work, so start order and restarts can rest on it.
const answer = await fetch(`http://127.0.0.1:${process.env.PORT}/readyz`, { signal: AbortSignal.timeout(4_000) })
if (!answer.ok) console.log(`${answer.status} ${await answer.text()}`)
process.exitCode = answer.ok ? 0 : 1
