import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseForm } from './form.js'

test.each<{ text: string; form: Record<string, string> }>([
  { text: '', form: {} },
  { text: 'a=1&b=2', form: { a: '1', b: '2' } },
  { text: 'a=x+y%20z%2B', form: { a: 'x y z+' } },
  { text: 'a', form: { a: '' } },
  { text: '&&a=1&', form: { a: '1' } },
  { text: 'constructor=1', form: { constructor: '1' } },
])('$text is read as $form', ({ text, form }) => {
  const parsed = parseForm(text)
  expect(parsed.ok && { ...parsed.value }).toEqual(form)
})

test('__proto__ is a parameter like any other', () => {
  const parsed = parseForm('__proto__=x')
  expect(parsed.ok && Object.getOwnPropertyDescriptor(parsed.value, '__proto__')?.value).toBe('x')
})

test.each([
  { when: 'a parameter repeats', text: 'a=1&a=2', reason: 'parameter_repeated' },
  { when: 'a parameter repeats under another encoding', text: 'a=1&%61=2', reason: 'parameter_repeated' },
  { when: '__proto__ repeats', text: '__proto__=1&__proto__=2', reason: 'parameter_repeated' },
  { when: 'a percent sign stands alone', text: 'a=%', reason: 'parameter_malformed' },
  { when: 'the octets are not UTF-8', text: 'a=%ff', reason: 'parameter_malformed' },
  { when: 'there is a NUL', text: 'a=%00', reason: 'parameter_malformed' },
  { when: 'there are too many', text: Array.from({ length: 65 }, (_, index) => `p${index}=1`).join('&'), reason: 'parameters_too_many' },
])('a form is refused when $when', ({ text, reason }) => {
  expect(parseForm(text)).toMatchObject({ ok: false, error: { reason } })
})

test('it never throws, and reads what URLSearchParams writes', () => {
  fc.assert(fc.property(fc.string(), (text) => void parseForm(text)))
  const value = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0') && !/\p{Surrogate}/u.test(text))
  fc.assert(
    fc.property(value, (text) => {
      const parsed = parseForm(new URLSearchParams({ a: text }).toString())
      return parsed.ok && parsed.value['a'] === text
    }),
  )
})

test('what came once can be told from what came again', () => {
  expect(parseForm('a=1&b=2&a=3&c=4&a=5')).toEqual({
    ok: false,
    error: { reason: 'parameter_repeated', parameter: 'a', once: { b: '2', c: '4' } },
  })
})
