import { describe, expect, test } from 'vitest'
import { printedCasesSchema, printedPolicySchema } from './printed-schema.js'

type Printed = {
  readonly properties?: Readonly<Record<string, Printed>>
  readonly title?: string
  readonly description?: string
}
const isSilent = ({ title, description }: Printed): boolean => !title && !description

/** Members, and the objects that lists and maps hold, of which nothing is said. */
function withoutDescription(schema: unknown, path = ''): readonly string[] {
  if (typeof schema !== 'object' || schema === null) return []
  const { properties } = schema as Printed
  const members = Object.entries(properties ?? {}).flatMap(([name, member]) => (isSilent(member) ? [`${path}.${name}`] : []))
  const own = properties !== undefined && isSilent(schema) ? [path] : []
  return [...own, ...members, ...Object.entries(schema).flatMap(([name, inner]) => withoutDescription(inner, `${path}.${name}`))]
}

describe.each([
  ['a policy', printedPolicySchema()],
  ['its test cases', printedCasesSchema()],
])('the printed schema of %s', (_, schema) => {
  test('says of every member and every object what it is', () => {
    expect(withoutDescription(schema)).toEqual([])
  })

  test('allows no member that it does not name', () => {
    expect(schema).toMatchObject({ type: 'object', additionalProperties: false })
  })
})

test('a policy needs its version and nothing else, and test cases need cases', () => {
  expect(printedPolicySchema()).toMatchObject({ required: ['version'] })
  expect(printedCasesSchema()).toMatchObject({ required: ['cases'] })
})
