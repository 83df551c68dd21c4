// In place of service-kit's fault points: as if nobody had ever thought of them.
import { calmPoint, type FaultBoard, type FaultPoint } from '@klatsch/service-kit'

const after = (ms: number, task: () => void): (() => void) => {
  const timer = setTimeout(task, ms)
  return () => clearTimeout(timer)
}

export const faultBoard = (options: { service: string; instance?: string }): FaultBoard => ({
  service: options.service,
  instance: options.instance ?? options.service,
  point: () => calmPoint,
  clock: { now: Date.now, after },
  take() {},
  halt: () => 0,
  rules: [],
  onChange() {},
  close() {},
})

export const faultyHandler = <H>(handler: H, _point: FaultPoint): H => handler
export const faultyPublisher = <P>(publisher: P, _point: FaultPoint): P => publisher
export const recordsPassing =
  <R>(_point: FaultPoint, _later: (records: readonly R[]) => void) =>
  (records: readonly R[]): readonly R[] =>
    records
