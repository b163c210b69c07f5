export { isPublicAddress, readTarget, TargetError } from './read-target.ts'
export { makeWebhookSecret, signWebhook } from './sign-webhook.ts'
