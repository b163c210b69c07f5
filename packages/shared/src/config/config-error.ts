/** One thing that is wrong with one environment variable. */
export interface ConfigFault {
  readonly variable: string
  readonly problem: string
}

/** Thrown by `parseEnv` with every fault of the environment at once; it never carries a variable's value. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly faults: readonly ConfigFault[]

  constructor(faults: readonly ConfigFault[]) {
    const lines = faults.map((fault) => `  ${fault.variable}: ${fault.problem}`)
    super(`the environment has ${faults.length} fault${faults.length === 1 ? '' : 's'}:\n${lines.join('\n')}`)
    this.faults = faults
  }
}
