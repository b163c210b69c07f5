import { expect, it } from 'vitest'
import { tellProblem } from './token-api.ts'

const detail = 'The body does not have the expected shape; see "errors".'

const PROBLEMS: readonly (readonly [Parameters<typeof tellProblem>[0], string | undefined])[] = [
  [{ title: 'Forbidden', detail: 'That is not yours.' }, 'That is not yours.'],
  [{ title: 'Forbidden' }, 'Forbidden'],
  [
    { detail, errors: [{ pointer: '#/expires_at', detail: 'Invalid ISO datetime' }] },
    `${detail} expires_at: Invalid ISO datetime`,
  ],
  [
    {
      detail,
      errors: [
        { pointer: '#/policy/steps/0', detail: 'is odd' },
        { pointer: '#', detail: 'is empty' },
      ],
    },
    `${detail} policy/steps/0: is odd; the request: is empty`,
  ],
  [{}, undefined],
]

it.each(PROBLEMS)('a problem %j reads: %s', (problem, text) => {
  expect(tellProblem(problem)).toBe(text)
})
