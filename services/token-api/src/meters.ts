import type { Metrics } from '@tollgate/shared/metrics'

/** What the token API counts. */
export type Meters = ReturnType<typeof defineMeters>

/** Registers the service's metrics; once per registry. */
export function defineMeters(metrics: Metrics, isLeased: () => boolean) {
  metrics.gauge('tollgate_gate_lease', 'Whether the gate may believe its copy (1) or follows GATE_FAIL_MODE (0)', {
    collect: (gauge) => gauge.set(isLeased() ? 1 : 0),
  })
  return {
    accepted: metrics.counter('tollgate_events_accepted_total', 'Events on disk, by where', ['path']),
    limited: metrics.counter('tollgate_rate_limited_total', 'Requests refused by a rate limit, by policy', ['policy']),
    rejected: metrics.counter('tollgate_events_rejected_total', 'Events not taken at the door, by reason', ['reason']),
    admission: metrics.histogram('tollgate_events_admission_seconds', 'Time until the events of a request are on disk'),
    refusals: metrics.counter('tollgate_gate_refusals_total', 'Access tokens refused, by reason', ['reason']),
    reservations: metrics.counter('tollgate_reservations_total', 'Requests for holds, by outcome', ['outcome']),
    reservationSeconds: metrics.histogram('tollgate_reservation_seconds', 'Time until a request for a hold is decided'),
    refreshes: metrics.counter('tollgate_refreshes_total', 'Refresh tokens shown, by outcome', ['outcome']),
    handoffs: metrics.counter('tollgate_handoffs_total', 'Handoffs that came to the proxy, by outcome', ['outcome']),
    sessionLookups: metrics.counter(
      'tollgate_proxy_session_lookups_total',
      'Sessions at the proxy that Postgres was asked for',
    ),
    logins: metrics.counter('tollgate_logins_total', 'Login sessions started'),
  }
}

/** Registers the metrics of what gates are told; once per registry. */
export function defineRevocationMeters(metrics: Metrics, count: () => number) {
  metrics.gauge('tollgate_gate_revocations', 'Revoked tokens and ended login sessions that the gate holds in memory', {
    collect: (gauge) => gauge.set(count()),
  })
  return {
    announcing: metrics.histogram('tollgate_revocation_seconds', 'Time from the commit until every gate refused'),
    silent: metrics.counter('tollgate_revocation_silent_gates_total', 'Gates that were waited out and did not answer'),
  }
}
