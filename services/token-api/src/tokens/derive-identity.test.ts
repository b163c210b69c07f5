import { expect, test } from 'vitest'
import { deriveIdentity } from './derive-identity.ts'

const profile = {
  email: 'john@company.com',
  full_name: 'John Doe',
  username: null,
  avatar_url: null,
  role: 'user' as const,
}

test("the contract's example", () => {
  expect(deriveIdentity({ ...profile, role: 'admin' })).toEqual({
    email: 'john@company.com',
    name: 'John Doe',
    username: 'john',
    avatar: 'https://ui-avatars.com/api/?name=John%20Doe&background=0D9488&color=fff',
    role: 'admin',
  })
})

test.each([null, '', '   '])('without a full name (%j) the e-mail is the name', (full_name) => {
  expect(deriveIdentity({ ...profile, full_name }).name).toBe('john@company.com')
})

test('what the profile says itself goes first', () => {
  const identity = deriveIdentity({ ...profile, username: 'jd', avatar_url: 'https://company.com/jd.png' })
  expect(identity).toMatchObject({ username: 'jd', avatar: 'https://company.com/jd.png' })
})

test('an odd row never breaks a login', () => {
  expect(deriveIdentity({ ...profile, email: '', full_name: null })).toMatchObject({ name: '', username: '' })
  expect(deriveIdentity({ ...profile, email: null, full_name: null })).toMatchObject({
    email: '',
    name: '',
    username: '',
  })
  expect(deriveIdentity({ ...profile, role: null }).role).toBe('user')
  expect(deriveIdentity({ ...profile, role: 'auditor' }).role).toBe('user')
  expect(deriveIdentity({ ...profile, full_name: '\ud800' }).avatar).toContain('%EF%BF%BD')
  expect(deriveIdentity({ ...profile, full_name: 'A&B #1?' }).avatar).toContain('name=A%26B%20%231%3F&')
})
