import type { Mutation } from '../mutation.ts'
import { ACCESS } from './access.ts'
import { COUNTING } from './counting.ts'

/** Every fault that `pnpm mutants` builds in. */
export const MUTATIONS: readonly Mutation[] = [...COUNTING, ...ACCESS]
