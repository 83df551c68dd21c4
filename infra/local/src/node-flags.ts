const flags: Readonly<Record<string, readonly string[]>> = {
  // V8 lets a young generation grow to three times 16 MB, garbage most of it: more than all the sockets of a gateway need.
  // With less, delivering takes a tenth more processor time (bench/README.md).
  gateway: ['--max-semi-space-size=4'],
}

/** How Node is told to run a service, before its script; `podman-compose.yaml` says the same. */
export const nodeFlags = (service: string): readonly string[] => flags[service] ?? []
