import { type Dispatcher, interceptors, Pool } from 'undici'

/** Nothing was sent. */
const NOT_REACHED = ['ECONNREFUSED', 'EAI_AGAIN', 'ENOTFOUND', 'UND_ERR_CONNECT_TIMEOUT']
/** Also said of connections on which something was sent: nobody knows what became of it. */
const CUT = ['ECONNRESET', 'EHOSTDOWN', 'EHOSTUNREACH', 'ENETUNREACH', 'EPIPE', 'ETIMEDOUT', 'UND_ERR_SOCKET']
const AGAIN = { maxRetries: 3, minTimeout: 50, maxTimeout: 500, timeoutFactor: 3, statusCodes: [] }

/**
 * Connections to `chat`. One instance of it may end at any moment, with others there, or about to be: what could not be
 * sent is sent again, up to three times within some 700 ms of waiting, and so is a question that was cut off. `asks`:
 * the methods that only ask.
 */
export function chatPool(
  chatUrl: string,
  options: {
    readonly connections: number
    readonly timeoutMs: number
    readonly asks: readonly Dispatcher.HttpMethod[]
  },
): Dispatcher {
  const { connections, timeoutMs, asks } = options
  const pool = new Pool(chatUrl, {
    connections,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    connect: { timeout: 2_000 },
  })
  const others = (['GET', 'POST', 'DELETE'] as const).filter((method) => !asks.includes(method))
  return pool.compose(
    interceptors.retry({ ...AGAIN, methods: [...asks], errorCodes: [...NOT_REACHED, ...CUT] }),
    interceptors.retry({ ...AGAIN, methods: others, errorCodes: NOT_REACHED }),
  )
}
