/** Bounds of the public face. Sizes in bytes, times in milliseconds, unless the name says otherwise. */
export const limits = {
  frameBytes: 64 * 1024,
  bodyBytes: 64 * 1024,
  nesting: 32,
  messageChars: 8_000,
  roomNameChars: 80,
  topicChars: 250,
  displayNameChars: 64,
  passwordChars: 200,
  /** Commands one socket may have unanswered at a time. */
  pendingCommands: 256,
  /** Commands and signals a second that one user may send, with bursts of `burst`. */
  commandsPerSecond: 50,
  commandBurst: 200,
  socketsPerUser: 50,
  cursorsPerHello: 10_000,
  /** People and rooms on one screen. */
  watchedUsers: 500,
  watchedRooms: 20,
  /** A gap of more events than this is answered with `reset`. */
  resumeEvents: 1_000,
  helloMs: 10_000,
  commandMs: 10_000,
  /** A client pings at least this often; a socket silent for twice as long is closed. */
  pingMs: 25_000,
  pageSize: 200,
} as const
