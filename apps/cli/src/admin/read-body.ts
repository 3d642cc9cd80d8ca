/** From flags to the body of a call: files, variables and documents are read, and each value stands at its member. */
import { err, ok, type Result } from '@drawbridge/core/result'
import { type AdminCommand, camelCase, type Flag } from './command.js'
import { firstLine, readTyped } from './read-file.js'

export type Environment = Readonly<Record<string, string | undefined>>

export async function readBody(
  { flags = {} }: Pick<AdminCommand, 'flags'>,
  given: Readonly<Record<string, readonly string[]>>,
  environment: Environment,
): Promise<Result<Readonly<Record<string, unknown>>, readonly string[]>> {
  const body: Record<string, unknown> = {}
  const mistakes: string[] = []
  for (const [name, words] of Object.entries(given)) {
    const flag = flags[name]
    if (flag === undefined || flag.kind === 'if-match') continue
    const read = await readFlag(flag, words, environment)
    if (read.ok) put(body, (flag.member ?? camelCase(name)).split('.'), read.value)
    else mistakes.push(`--${name}: ${read.error}`)
  }
  return mistakes.length === 0 ? ok(body) : err(mistakes)
}

/** What was seen, if the command was told. */
export const readIfMatch = (
  { flags = {} }: Pick<AdminCommand, 'flags'>,
  given: Readonly<Record<string, readonly string[]>>,
): string | undefined => Object.entries(given).find(([name]) => flags[name]?.kind === 'if-match')?.[1][0]

async function readFlag(flag: Flag, words: readonly string[], environment: Environment): Promise<Result<unknown, string>> {
  const [word = ''] = words
  switch (flag.kind) {
    case 'switch':
      return ok(flag.value ?? true)
    case 'number':
      return ok(Number(word))
    case 'text':
    case 'if-match':
      return ok(word)
    case 'list':
      return ok(words)
    case 'file':
      return readTyped(word)
    case 'files':
      return all(words.map(readTyped))
    case 'document':
      return readDocument(word)
    case 'from-env':
      return environment[word] ? ok(environment[word]) : err(`the variable ${word} is not set`)
    case 'from-file':
      return firstLine(word, readTyped(word))
  }
}

/** Most commands read no YAML, and start without it. */
async function readDocument(file: string): Promise<Result<unknown, string>> {
  const { readYaml } = await import('@drawbridge/core/placed-yaml')
  const text = readTyped(file)
  if (!text.ok) return text
  const read = readYaml(text.value)
  if (!read.ok) return err(read.error.map(({ say, place }) => `${file}:${place?.line ?? 1}:${place?.column ?? 1} ${say}`).join('\n'))
  const [document, second] = read.value
  const isOne = typeof document?.value === 'object' && document.value !== null && second === undefined
  return isOne ? ok(document.value) : err(`${file} is to hold one document with members`)
}

function all<T>(results: readonly Result<T, string>[]): Result<readonly T[], string> {
  const failed = results.find((each) => !each.ok)
  return failed && !failed.ok ? err(failed.error) : ok(results.flatMap((each) => (each.ok ? [each.value] : [])))
}

/** Objects at one member are merged, so that a flag adds to a document that was given. */
function put(body: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [name = '', ...rest] = path
  const there = body[name]
  if (rest.length > 0) {
    const inner = { ...(isObject(there) ? there : {}) }
    put(inner, rest, value)
    body[name] = inner
  } else if (name === '') Object.assign(body, value)
  else body[name] = isObject(value) && isObject(there) ? { ...value, ...there } : value
}
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
