import { StackError } from './errors.ts'
import { findProgram, installWithApt, type ProgramSearch, thisMachine } from './programs.ts'

const names = ['chromium', 'chromium-browser', 'google-chrome']

/** The browser of the dashboard's tests. Throws with what to install where it is missing. */
export const findChromium = (search: ProgramSearch = thisMachine(process.env, () => {})): string => {
  const found = findProgram(search, names)
  if (found !== null) return found
  throw new StackError(
    'Chromium is missing. Debian, Ubuntu: apt-get install chromium. macOS: brew install --cask chromium. Fedora: dnf install chromium.',
  )
}

/** Before the tests: installs Chromium where that needs no question. */
export const prepareChromium = (log: (line: string) => void): void => {
  const search = thisMachine(process.env, log)
  if (findProgram(search, names) === null) installWithApt(search, 'chromium')
  findChromium(search)
}
