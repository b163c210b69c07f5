import { describe, expect, it } from 'vitest'
import { planMigrations } from './migrations.ts'

describe('planMigrations', () => {
  it('applies everything to a database that has none', () => {
    expect(planMigrations(undefined, {})).toEqual({ kind: 'apply' })
    expect(planMigrations(undefined, { 'a.sql': '1' })).toEqual({ kind: 'apply' })
  })
  it('does nothing when all are there', () => {
    expect(planMigrations({ 'a.sql': '1' }, { 'a.sql': '1' })).toEqual({ kind: 'current' })
  })
  it('applies files that were added', () => {
    expect(planMigrations({ 'a.sql': '1' }, { 'a.sql': '1', 'b.sql': '2' })).toEqual({ kind: 'apply' })
  })
  it('names applied files that were edited or removed since', () => {
    expect(planMigrations({ 'a.sql': '1', 'b.sql': '2' }, { 'a.sql': '9' })).toEqual({
      kind: 'changed',
      files: ['a.sql', 'b.sql'],
    })
  })
})
