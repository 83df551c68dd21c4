import type { DeployDrillReport } from './deploy-drill.ts'
import { printReport } from './print.ts'

/** What the checker says; then what people would have noticed. */
export function printDeployReport(report: DeployDrillReport): string {
  const { delivery, troubled, troubles, moves, longestSilenceMs, settledMs, projectionDifferences } = report
  const settled = settledMs === undefined ? 'never' : `after ${(settledMs / 1_000).toFixed(1)} s`
  return [
    printReport(report),
    `  clients that saw an error ${troubled} · moved to a second socket ${moves} times`,
    ...troubles.map((trouble) => `    ${trouble}`),
    `  said → seen, ${delivery.count.toLocaleString('en')} times: p50 ${delivery.p50} ms · p99 ${delivery.p99} ms · longest ${delivery.max} ms`,
    `  longest time in which nobody saw anything: ${longestSilenceMs} ms`,
    `  everyone had everything ${settled} · read table differs in ${projectionDifferences}`,
  ].join('\n')
}
