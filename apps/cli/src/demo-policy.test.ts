import { compilePolicy } from '@drawbridge/core/policy/compile'
import { toolScopes } from '@drawbridge/example-mcp-server/example-server'
import { expect, test } from 'vitest'
import { demoPolicy, demoScopes } from './demo-policy.js'

test('the demonstration’s policy compiles', () => {
  expect(compilePolicy(demoPolicy, { version: 1 })).toMatchObject({ ok: true })
})

test('the demonstration knows every scope that a tool of the example needs', () => {
  const known = new Set<string>(demoScopes.map(({ name }) => name))
  expect(
    Object.values(toolScopes)
      .flat()
      .filter((scope) => !known.has(scope)),
  ).toEqual([])
})
