/** What was asked for cannot be done; the message is for whoever asked. */
export class AdversarialError extends Error {
  override readonly name = 'AdversarialError'
}
