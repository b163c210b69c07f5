/** Names of what the focus is handed on to when a filter is chosen or undone: the heading of the chart. */
export const CHART_NAME = 'chart'
/** The chip of the day that is looked into. */
export const DAY_NAME = 'day'
/** A bar of the chart. */
export const barName = (bucket: string): string => `bar ${bucket}`
