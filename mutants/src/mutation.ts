/** One change of a source file: a piece of text that stands there exactly once, and what takes its place. */
export interface Edit {
  /** Path from the root of the repository. */
  readonly file: string
  readonly find: string
  readonly replace: string
}

/** A fault that somebody could build in, and the test that must notice it. */
export interface Mutation {
  readonly name: string
  /** What goes wrong with it, in a few words for the table. */
  readonly fault: string
  readonly edits: readonly Edit[]
  readonly test: {
    readonly file: string
    /** As it is reported, without the titles of the groups around it. */
    readonly title: string
    /** What of the title stands in the file, where `test.each` makes it of a row. */
    readonly stands?: string
  }
}

/** A mutation that cannot be applied, or a run that says nothing. */
export class MutantError extends Error {
  override readonly name = 'MutantError'
}
