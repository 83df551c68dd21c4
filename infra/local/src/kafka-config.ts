/** One more port of a broker, for whoever calls it by another: a proxy's. Its answers name that one. */
export interface Listener {
  readonly name: string
  readonly port: number
  readonly advertised: number
}

/** What a broker of our own is told. One node, broker and controller in one, reachable over loopback only. */
export function serverProperties(settings: {
  port: number
  controllerPort: number
  dataDir: string
  listeners?: readonly Listener[]
}): string {
  const all = [
    { name: 'PLAINTEXT', port: settings.port, advertised: settings.port },
    ...(settings.listeners ?? []),
  ]
  const controller = { name: 'CONTROLLER', port: settings.controllerPort }
  const at = (name: string, port: number) => `${name}://127.0.0.1:${port}`
  return properties({
    'process.roles': 'broker,controller',
    'node.id': '1',
    listeners: [...all, controller].map(({ name, port }) => at(name, port)).join(','),
    'advertised.listeners': all.map(({ name, advertised }) => at(name, advertised)).join(','),
    'listener.security.protocol.map': [...all, controller].map(({ name }) => `${name}:PLAINTEXT`).join(','),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'controller.quorum.voters': `1@127.0.0.1:${settings.controllerPort}`,
    'log.dirs': settings.dataDir,

    'auto.create.topics.enable': 'false',
    'default.replication.factor': '1',
    'min.insync.replicas': '1',
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '4',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    'share.coordinator.state.topic.num.partitions': '4',

    // A consumer alone in its group starts at once, instead of waiting 3 s for others.
    'group.initial.rebalance.delay.ms': '0',
    // After kill -9 a broker may come back only when the session of its former self has ended (9 s by default): half of the
    // 4 s that it takes. With 1 s its own requests, which have half of that, time out on a busy machine, and it takes
    // longer. How often it asks again is how often it beats.
    'broker.session.timeout.ms': '2000',
    'broker.heartbeat.interval.ms': '100',

    // A record is dropped with its whole segment, and only once the next one has begun.
    'log.segment.bytes': String(64 * 1024 * 1024),
    'log.roll.ms': String(24 * 3_600_000),

    'num.network.threads': '2',
    'num.io.threads': '4',
    'background.threads': '4',
    'num.recovery.threads.per.data.dir': '4',
    'log.cleaner.dedupe.buffer.size': String(16 * 1024 * 1024),
  })
}

/** The log of the broker: a new file at each start and after 5 MB, four of them at most. */
export function log4j(file: string): string {
  return JSON.stringify({
    configuration: {
      status: 'ERROR',
      appenders: {
        RollingFile: {
          name: 'file',
          fileName: file,
          filePattern: `${file}.%i`,
          PatternLayout: { pattern: '%d{ISO8601} %p %m (%c{1})%n' },
          Policies: { OnStartupTriggeringPolicy: {}, SizeBasedTriggeringPolicy: { size: '5 MB' } },
          DefaultRolloverStrategy: { max: '3' },
        },
      },
      loggers: {
        root: { level: 'INFO', 'appender-ref': { ref: 'file' } },
        // Every setting at every start, a thousand lines of them.
        logger: { name: 'org.apache.kafka.common.config.AbstractConfig', level: 'WARN' },
      },
    },
  })
}

/** Backslashes and line ends are all that a value of ours could have that the format takes for its own. */
const properties = (entries: Record<string, string>): string =>
  Object.entries(entries)
    .map(([key, value]) => `${key}=${value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n`)
    .join('')
