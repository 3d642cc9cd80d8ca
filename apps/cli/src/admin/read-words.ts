/** The words that somebody typed, held against the command that they name. Every mistake is told, with what was probably meant. */
import { parseArgs } from 'node:util'
import { err, ok, type Result } from '@drawbridge/core/result'
import { type AdminCommand, type ArgumentName, argumentWords, type Flag } from './command.js'

/** Flags of every command. */
export const commonFlags = {
  url: { kind: 'text', says: 'the broker to speak to, in place of DRAWBRIDGE_ADMIN_URL' },
  json: { kind: 'switch', says: 'the answer as JSON, for machines' },
  yes: { kind: 'switch', says: 'do not ask' },
  help: { kind: 'switch', says: 'say what the command does' },
} as const satisfies Record<string, Flag>

export type ReadWords = {
  readonly arguments: Partial<Readonly<Record<ArgumentName, string>>>
  /** As typed, by flag. */
  readonly flags: Readonly<Record<string, readonly string[]>>
  readonly url: string | undefined
  readonly json: boolean
  readonly yes: boolean
  readonly help: boolean
}

/** The command with the most words that the given ones begin with. */
export function findCommand<C extends { readonly name: string }>(commands: readonly C[], words: readonly string[]): C | undefined {
  const begins = ({ name }: C) => name.split(' ').every((word, index) => words[index] === word)
  return commands.filter(begins).toSorted((one, other) => other.name.length - one.name.length)[0]
}

/** `words`: those behind the name of the command. */
export function readWords(command: AdminCommand, words: readonly string[]): Result<ReadWords, readonly string[]> {
  const flags: Readonly<Record<string, Flag>> = { ...command.flags, ...commonFlags }
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, { kind, short }]) => [
      name,
      { type: kind === 'switch' ? ('boolean' as const) : ('string' as const), ...(short === undefined ? {} : { short }) },
    ]),
  )
  const { tokens } = parseArgs({ args: [...words], options, strict: false, allowPositionals: true, tokens: true })
  const mistakes: string[] = []
  const given: Record<string, string[]> = {}
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    const flag = Object.hasOwn(flags, token.name) ? flags[token.name] : undefined
    const mistake = mistakeIn(token, flag, flags, Object.hasOwn(given, token.name))
    if (mistake !== undefined) mistakes.push(mistake)
    // Only names of ours become members.
    if (flag !== undefined) (given[token.name] ??= []).push(token.value ?? 'true')
  }
  const positionals = tokens.flatMap((token) => (token.kind === 'positional' ? [token.value] : []))
  const help = given['help'] !== undefined
  // What follows a flag that nobody knows may have been its value.
  if (!help && mistakes.length === 0) mistakes.push(...missingIn(command, positionals, given))
  if (mistakes.length > 0) return err(mistakes)
  const named = Object.fromEntries(command.takes.map((name, index) => [name, positionals[index]]))
  const { url: [url] = [], json, yes, help: _, ...own } = given
  return ok({ arguments: named, flags: own, url, json: json !== undefined, yes: yes !== undefined, help })
}

type Option = { readonly name: string; readonly rawName: string; readonly value: string | undefined }

function mistakeIn({ name, rawName, value }: Option, flag: Flag | undefined, flags: Readonly<Record<string, Flag>>, again: boolean) {
  if (flag === undefined) return `there is no ${rawName}${meant(name, Object.keys(flags), '--')}`
  if (flag.kind === 'switch') return value === undefined ? undefined : `${rawName} takes no value`
  if (value === undefined || value.startsWith('--')) return `${rawName} needs a value: ${flag.says}`
  if (flag.choices && !flag.choices.includes(value)) return `${rawName} is one of ${flag.choices.join(', ')}`
  if (flag.kind === 'number' && !/^\d{1,9}$/.test(value)) return `${rawName} is a whole number`
  return again && flag.kind !== 'list' && flag.kind !== 'files' ? `${rawName} is said twice` : undefined
}

function missingIn(command: AdminCommand, positionals: readonly string[], given: Readonly<Record<string, unknown>>): string[] {
  const absent = command.takes.slice(positionals.length).map((name) => `<${name}> is missing: ${argumentWords[name]}`)
  const surplus = positionals.slice(command.takes.length).map((word) => `"${word}" is one word too many`)
  const empty = positionals
    .slice(0, command.takes.length)
    .flatMap((word, index) => (word === '' ? [`<${command.takes[index]}> is empty`] : []))
  const unsaid = Object.entries(command.flags ?? {}).filter(([name, { required }]) => required && given[name] === undefined)
  return [...absent, ...empty, ...surplus, ...unsaid.map(([name, { says }]) => `--${name} is missing: ${says}`)]
}

const furthest = 3

/**
 * `: is --issuer meant?`, or nothing where nothing is near. Of several words as many are held against a name as it has, and the name that is
 * nearest word for word is told.
 */
export function meant(typed: string, known: readonly string[], prefix = ''): string {
  const words = typed.split(' ')
  const near = known
    .map((name) => ({ name, many: name.split(' ').length }))
    .map(({ name, many }) => ({ name, many, away: distance(words.slice(0, many).join(' '), name) }))
    .filter(({ name, away }) => away <= Math.min(furthest, Math.ceil(name.length / 2)))
    .toSorted((one, other) => one.away / one.many - other.away / other.many)[0]
  return near === undefined ? '' : `: is ${prefix}${near.name} meant?`
}

/** How many letters must be put in, taken away or changed. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (const [at, letter] of one.slice(0, 64).split('').entries()) {
    const above = row
    row = [at + 1]
    for (let index = 0; index < other.length; index += 1) {
      const changed = (above[index] ?? 0) + (other[index] === letter ? 0 : 1)
      row.push(Math.min(changed, (above[index + 1] ?? 0) + 1, (row[index] ?? 0) + 1))
    }
  }
  return row.at(-1) ?? 0
}
