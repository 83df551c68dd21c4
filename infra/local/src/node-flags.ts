const flags: Readonly<Record<string, readonly string[]>> = {
  // A gateway makes much garbage and keeps little of it: a young generation of V8's own 16 MB, three times over, is
  // memory that its sockets do not need, and delivering is no faster with it (bench/README.md).
  gateway: ['--max-semi-space-size=4'],
}

/** How Node is told to run a service, before its script; `podman-compose.yaml` says the same. */
export const nodeFlags = (service: string): readonly string[] => flags[service] ?? []
