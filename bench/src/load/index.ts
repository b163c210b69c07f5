// What the fault harness shares with the bench.
export { makeEvent, type UsageEvent } from './make-events.ts'
export { addPopulation, type Member } from './population.ts'
