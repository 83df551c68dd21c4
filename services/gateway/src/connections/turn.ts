/**
 * Collects work for the end of the current turn of the event loop. What is added while it runs is run in the same turn:
 * events accepted are flushed to sockets, and then each socket is written to once.
 */
export function endOfTurn(schedule: (run: () => void) => void = setImmediate): (task: () => void) => void {
  let tasks: (() => void)[] = []
  function run(): void {
    for (let index = 0; index < tasks.length; index += 1) tasks[index]!()
    tasks = []
  }
  return (task) => {
    tasks.push(task)
    if (tasks.length === 1) schedule(run)
  }
}
