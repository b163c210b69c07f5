import { type Browser, chromium } from 'playwright-core'
import { findChromium } from './chromium.ts'

/** Chromium of this machine, without anything that would look for a network or need a user. */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: findChromium(),
    args: [
      ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
      ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
    ],
  })
}
