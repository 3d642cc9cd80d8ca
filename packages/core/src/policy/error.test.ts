import { expect, test } from 'vitest'
import { policyErrors, policyLimits, policyLimitTexts } from './error.js'

test.each(Object.entries(policyErrors))('%s says what is wrong in words of its own, and by what it is wrong', (reason, { say, spec }) => {
  expect(say).toMatch(/^[a-z].{15,}[^.]$/)
  expect(Object.values<{ readonly say: string }>(policyErrors).filter((other) => other.say === say)).toHaveLength(1)
  expect(spec).toMatch(/^(?:ours|YAML|CEL|RE2)/)
  for (const limit of spec.match(/(?<=limits? .*)\b[a-z]+[A-Z]\w*\b/g) ?? [])
    expect([reason, Object.keys(policyLimits)]).toEqual([reason, expect.arrayContaining([limit])])
})

test.each(Object.entries(policyLimits))('%s is a whole number of something that is said', (limit, number) => {
  expect(Number.isInteger(number) && number > 0).toBe(true)
  expect(policyLimitTexts[limit as keyof typeof policyLimits]).toMatch(/\w{3}/)
})
