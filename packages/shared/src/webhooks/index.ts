export { isPublicAddress, readTarget, TargetError } from './read-target.ts'
export { createSecretBox, SealError, type SecretBox } from './seal-secret.ts'
export { makeWebhookSecret, signWebhook } from './sign-webhook.ts'
