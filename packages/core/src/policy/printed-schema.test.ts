import { describe, expect, test } from '@jest/globals'
import { printedCasesSchema, printedPolicySchema } from './printed-schema.js'

type Printed = { readonly properties?: Readonly<Record<string, Printed>>; readonly description?: string }

function membersWithoutDescription(schema: unknown, path = ''): readonly string[] {
  if (typeof schema !== 'object' || schema === null) return []
  const { properties = {} } = schema as Printed
  const silent = Object.entries(properties).flatMap(([name, member]) => (member.description === undefined ? [`${path}.${name}`] : []))
  return [...silent, ...Object.entries(schema).flatMap(([name, inner]) => membersWithoutDescription(inner, `${path}.${name}`))]
}

describe.each([
  ['a policy', printedPolicySchema()],
  ['its test cases', printedCasesSchema()],
])('the printed schema of %s', (_, schema) => {
  test('says of every member what it is', () => {
    expect(membersWithoutDescription(schema)).toEqual([])
  })

  test('allows no member that it does not name', () => {
    expect(schema).toMatchObject({ type: 'object', additionalProperties: false })
  })
})

test('a policy needs its version and nothing else, and test cases need cases', () => {
  expect(printedPolicySchema()).toMatchObject({ required: ['version'] })
  expect(printedCasesSchema()).toMatchObject({ required: ['cases'] })
})
