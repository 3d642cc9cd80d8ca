import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import {
  loginStages,
  parseTraceCode,
  redactedValue,
  showTraceCode,
  stepsOf,
  traceCodeOf,
  traceContentsFromText,
  traceContentsToText,
} from './login-trace.js'

const verdictsOf = (...given: Parameters<typeof stepsOf>) => stepsOf(...given).map(({ verdict }) => verdict)

describe('the steps of a login that failed', () => {
  it('names every stage once, and exactly one refused', () => {
    for (const stage of loginStages)
      for (const isProven of [true, false]) {
        const steps = stepsOf(stage, isProven)
        expect(steps.map((step) => step.stage)).toEqual(loginStages)
        expect(steps.filter(({ verdict }) => verdict === 'refused').map((step) => step.stage)).toEqual([stage])
      }
  })
  it('does not say that a signature held which nobody had looked at', () => {
    expect(verdictsOf('rules', false)).toEqual([
      ...['passed', 'passed', 'passed', 'not_judged', 'refused'],
      ...['not_reached', 'not_reached', 'not_reached'],
    ])
    expect(verdictsOf('rules', true)[3]).toBe('passed')
    expect(verdictsOf('policy', true)).toEqual([...Array(7).fill('passed'), 'refused'])
  })
})

describe('a code', () => {
  it('is found however it is typed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 8, maxLength: 8 }), (octets) => {
        const code = traceCodeOf(octets)
        expect(code).toMatch(/^[0-9A-HJKMNP-TV-Z]{8}$/)
        for (const typed of [
          code,
          showTraceCode(code),
          code.toLowerCase(),
          ` ${showTraceCode(code)} `,
          code.replaceAll('0', 'o').replaceAll('1', 'l'),
        ])
          expect(parseTraceCode(typed)).toBe(code)
      }),
    )
  })
  test.each(['', 'ABC', 'UUUUUUUU', "ABCD'--1", '0123456789', '\u{1F600}234567'])('%j is none', (text) => {
    expect(parseTraceCode(text)).toBeUndefined()
  })
})

test.each([
  { given: 'ada@acme.example', kept: 'a… (16 characters)' },
  { given: '', kept: '(empty)' },
  { given: '\u{1F600}x', kept: '\u{1F600}… (2 characters)' },
])('of $given is kept $kept', ({ given, kept }) => {
  expect(redactedValue(given)).toBe(kept)
})

test('what is sealed is read back as it was, and anything else is nothing', () => {
  const contents = {
    stage: 'rules',
    protocol: 'saml',
    requestId: 'r',
    detail: { rule: 'aud' },
    answer: { a: 1 },
    claimNames: ['email'],
  } as const
  expect(
    traceContentsFromText(traceContentsToText({ ...contents, claimNames: ['email'], identity: undefined, explanation: undefined })),
  ).toEqual(contents)
  expect(traceContentsFromText('{"stage":"elsewhere"}')).toBeUndefined()
})
