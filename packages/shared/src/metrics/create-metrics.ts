import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** Every metric is ours (`tollgate_…`) and ends in its unit. */
export type CounterName = `tollgate_${string}_total`
/** Gauges may also be plain numbers of things, such as `tollgate_jobs_waiting`. */
export type GaugeName = `tollgate_${string}`
/** Histograms measure time or size. */
export type HistogramName = `tollgate_${string}_seconds` | `tollgate_${string}_bytes` | `tollgate_${string}_events`

/** What a service counts with; each has a registry of its own so that tests and two services in one process do not mix. */
export interface Metrics {
  readonly registry: Registry
  counter<Label extends string = never>(name: CounterName, help: string, labels?: readonly Label[]): Counter<Label>
  gauge<Label extends string = never>(name: GaugeName, help: string, options?: GaugeOptions<Label>): Gauge<Label>
  histogram<Label extends string = never>(
    name: HistogramName,
    help: string,
    options?: HistogramOptions<Label>,
  ): Histogram<Label>
}

/** `collect` is called at each scrape, for values that are read and not counted. */
export interface GaugeOptions<Label extends string> {
  readonly labels?: readonly Label[]
  readonly collect?: (gauge: Gauge<Label>) => void | Promise<void>
}

/** Buckets default to those for a service that answers within milliseconds, in seconds. */
export interface HistogramOptions<Label extends string> {
  readonly labels?: readonly Label[]
  readonly buckets?: readonly number[]
}

const BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const FORBIDDEN_LABEL = /organi[sz]ation|user|email|session|tenant/i

/** Makes a registry with Node's default metrics and a `service` label on everything. */
export function createMetrics({ service }: { readonly service: string }): Metrics {
  const registry = new Registry()
  registry.setDefaultLabels({ service })
  collectDefaultMetrics({ register: registry })
  return {
    registry,
    counter: (name, help, labels = []) =>
      new Counter({ name, help, labelNames: checked(labels), registers: [registry] }),
    gauge: (name, help, { labels = [], collect } = {}) => defineGauge(registry, name, help, checked(labels), collect),
    histogram: (name, help, { labels = [], buckets = BUCKETS_SECONDS } = {}) =>
      new Histogram({ name, help, labelNames: checked(labels), buckets: [...buckets], registers: [registry] }),
  }
}

function defineGauge<Label extends string>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: Label[],
  collect: GaugeOptions<Label>['collect'],
): Gauge<Label> {
  if (collect === undefined) return new Gauge({ name, help, labelNames, registers: [registry] })
  const gauge: Gauge<Label> = new Gauge({
    name,
    help,
    labelNames,
    registers: [registry],
    // A failing read must not take the whole scrape down with it.
    collect: async () => {
      try {
        await collect(gauge)
      } catch {
        gauge.reset()
      }
    },
  })
  return gauge
}

function checked<Label extends string>(labels: readonly Label[]): Label[] {
  const refused = labels.find((label) => FORBIDDEN_LABEL.test(label))
  if (refused !== undefined) throw new TypeError(`label ${refused} would make one series per tenant or person`)
  return [...labels]
}
