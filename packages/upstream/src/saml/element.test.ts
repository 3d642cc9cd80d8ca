import { expect, test } from 'vitest'
import { readElement, textOf } from './element.js'

const textIn = (written: string) => {
  const read = readElement(`<a>${written}</a>`)
  return read.ok ? textOf(read.value) : read.error.reason
}

test('what a message is printed prettily with is no part of a text', () => {
  expect(textIn('\r\n\t ada \n')).toBe('ada')
  expect(textIn(' \n ')).toBe('')
})

test.each(['\u00A0ada', 'ada\u00A0', '\uFEFFada', 'ada\u2028', 'ada\u3000', 'ada\u0085'])('%j names another person than ada', (name) => {
  expect(textIn(` ${name}\n`)).toBe(name)
})

test('elements inside are no text', () => expect(textIn('ada<b/>')).toBeUndefined())
