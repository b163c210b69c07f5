import { hashToken } from './refresh-token.ts'

/** Calls with the same token that come while one is under way get its answer: tabs that race ask Postgres once. */
export function shareFlights<Answer>(call: (token: string) => Promise<Answer>): (token: string) => Promise<Answer> {
  const flights = new Map<string, Promise<Answer>>()
  return (token) => {
    const key = hashToken(token)
    const flight = flights.get(key) ?? call(token).finally(() => flights.delete(key))
    flights.set(key, flight)
    return flight
  }
}
