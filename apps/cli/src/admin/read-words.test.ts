import fc from 'fast-check'
import { expect, it, test } from 'vitest'
import type { AdminCommand } from './command.js'
import { findCommand, meant, readWords } from './read-words.js'

const command: AdminCommand = {
  name: 'thing make',
  does: 'Make a thing',
  takes: ['tenant'],
  flags: {
    name: { kind: 'text', says: 'its name', required: true },
    kind: { kind: 'text', says: 'which', choices: ['one', 'two'] },
    days: { kind: 'number', says: 'how long' },
    tag: { kind: 'list', says: 'several' },
    fast: { kind: 'switch', says: 'or not' },
    file: { kind: 'files', says: 'several', short: 'f' },
  },
  example: 'drawbridge thing make initech --name x',
}

test.each([
  { words: 'initech', say: '--name is missing' },
  { words: '--name x', say: '<tenant> is missing: the slug' },
  { words: 'initech globex --name x', say: '"globex" is one word too many' },
  { words: 'initech --nmae x', say: 'there is no --nmae: is --name meant?' },
  { words: 'initech --colour blue', say: 'there is no --colour' },
  { words: 'initech --name x --name y', say: '--name is said twice' },
  { words: 'initech --name', say: '--name needs a value' },
  { words: 'initech --name --fast', say: '--name needs a value' },
  { words: 'initech --name x --fast=no', say: '--fast takes no value' },
  { words: 'initech --name x --kind three', say: '--kind is one of one, two' },
  { words: 'initech --name x --days soon', say: '--days is a whole number' },
  { words: 'initech --name x -q', say: 'there is no -q' },
  { words: 'initech --name x --constructor', say: 'there is no --constructor' },
])('"$words" is refused: $say', ({ words, say }) => {
  const read = readWords(command, words.split(' '))
  expect(read.ok ? '' : read.error.join('\n')).toContain(say)
})

it('reads words in any order, lists as lists, and what begins with a hyphen where it is a file', () => {
  const words = ['--tag', 'a', 'initech', '--name=x', '--tag', 'b', '--fast', '-f', '-', '--json', '--url', 'https://b.example']
  expect(readWords(command, words)).toEqual({
    ok: true,
    value: {
      arguments: { tenant: 'initech' },
      flags: { tag: ['a', 'b'], name: ['x'], fast: ['true'], file: ['-'] },
      url: 'https://b.example',
      json: true,
      yes: false,
      help: false,
    },
  })
})

it('gives help whatever else is missing', () => {
  expect(readWords(command, ['--help'])).toMatchObject({ ok: true, value: { help: true } })
})

it('finds the command with the most words', () => {
  const commands = [{ name: 'thing' }, { name: 'thing make' }, { name: 'thing make new' }]
  expect(findCommand(commands, ['thing', 'make', 'new', 'x'])?.name).toBe('thing make new')
  expect(findCommand(commands, ['thing', 'maker'])?.name).toBe('thing')
  expect(findCommand(commands, ['things'])).toBeUndefined()
})

it('suggests what is near, and nothing where nothing is', () => {
  expect(meant('conection', ['connection', 'client'])).toBe(': is connection meant?')
  expect(meant('xyz', ['connection', 'client'])).toBe('')
})

test.each([
  { typed: 'conection list acme', near: 'drawbridge connection list' },
  { typed: 'conection acme', near: 'drawbridge connection' },
  { typed: 'conection metadata aply acme', near: 'drawbridge connection metadata apply' },
  { typed: 'migrat', near: 'drawbridge migrate' },
  { typed: 'aply -f x.yaml', near: 'drawbridge apply' },
])('for "$typed" $near is suggested', ({ typed, near }) => {
  const names = ['migrate', 'apply', 'connection', 'connection list', 'connection metadata apply', 'client list']
  expect(meant(typed, names, 'drawbridge ')).toBe(`: is ${near} meant?`)
})

it('never throws, whatever is typed', () => {
  const word = fc.oneof(fc.string(), fc.constantFrom('--name', '--', '-', '--name=', '-f', '--tag', '--fast', '--__proto__', '---'))
  fc.assert(fc.property(fc.array(word, { maxLength: 8 }), (words) => typeof readWords(command, words).ok === 'boolean'))
})
