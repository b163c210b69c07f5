export {
  type CounterName,
  createMetrics,
  type GaugeName,
  type GaugeOptions,
  type HistogramName,
  type HistogramOptions,
  type Metrics,
} from './create-metrics.ts'
