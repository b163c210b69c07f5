import { findProgram, installWithApt, thisMachine } from './programs.ts'

/** The path of `promtool`, which tests the alert rules; null where there is none. */
export const findPromtool = (): string | null =>
  findProgram(
    thisMachine(process.env, () => {}),
    ['promtool'],
  )

/** Installs `promtool` where it is missing and that needs no question (root on Debian/Ubuntu). */
export const preparePromtool = (log: (line: string) => void): string | null => {
  const found = findPromtool()
  if (found !== null) return found
  if (installWithApt(thisMachine(process.env, log), 'prometheus')) return findPromtool()
  log('promtool (Debian package prometheus) is missing: the alert rules are compared with the page, but not run.')
  return null
}
