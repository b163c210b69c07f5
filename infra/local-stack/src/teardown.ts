/** What has to be undone, last first. */
export type Teardown = {
  /** Adds a step; when everything is being undone already, the step runs at once. */
  defer(step: () => void | Promise<void>): void
  /** Runs all steps in reverse order, each even if another failed. Every caller waits for the same one run. */
  run(): Promise<void>
}

/** Makes an empty list of things to undo. */
export const createTeardown = (): Teardown => {
  const steps: (() => void | Promise<void>)[] = []
  let running: Promise<void> | null = null
  const runAll = async () => {
    const failures: unknown[] = []
    for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
      try {
        await step()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'Not everything could be stopped.')
  }
  const run = () => {
    running ??= runAll()
    return running
  }
  return {
    run,
    defer: (step) => {
      steps.push(step)
      // A start that is interrupted may still hand over what it has just begun.
      if (running !== null) running = running.then(runAll)
    },
  }
}
