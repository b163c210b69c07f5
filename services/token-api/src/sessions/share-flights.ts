import { hashToken } from './refresh-token.ts'

interface Flight<Answer> {
  readonly answer: Promise<Answer>
  /** Of those who came while this one was under way. */
  next?: Promise<Answer>
}

/**
 * Calls with the same token that come while one is under way share the next one: however many tabs race, Postgres is asked
 * one question at a time, and nobody is answered with what was read before asking.
 */
export function shareFlights<Answer>(call: (token: string) => Promise<Answer>): (token: string) => Promise<Answer> {
  const flights = new Map<string, Flight<Answer>>()
  const begin = (key: string, token: string): Promise<Answer> => {
    const flight: Flight<Answer> = {
      answer: call(token).finally(() => {
        // Else the next one takes its place.
        if (flight.next === undefined) flights.delete(key)
      }),
    }
    flights.set(key, flight)
    return flight.answer
  }
  return (token) => {
    const key = hashToken(token)
    const underWay = flights.get(key)
    if (underWay === undefined) return begin(key, token)
    const beginNext = () => begin(key, token)
    underWay.next ??= underWay.answer.then(beginNext, beginNext)
    return underWay.next
  }
}
