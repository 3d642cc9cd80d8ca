/** Runs a command of the admin API: words → body → names to ids → the question, where one is asked → the call → what people or machines read. */
import { createInterface } from 'node:readline/promises'
import { err, ok, type Result } from '@drawbridge/core/result'
import { adminOrigin, EnvError, readCommandLineEnv } from '@drawbridge/runtime/env'
import { type AdminClient, adminClient } from './admin-client.js'
import { readAdminKey } from './admin-key-file.js'
import type { AdminCommand, Given, Outcome, Tools } from './command.js'
import { exitCodes, helpOf, helpOfMany } from './help.js'
import { makeCall } from './make-call.js'
import { type Environment, readBody, readIfMatch } from './read-body.js'
import { findCommand, meant, type ReadWords, readWords } from './read-words.js'
import { jsonText, plainLines, plainText, showAnswer, showRefused } from './show.js'

/** Answers the exit code; undefined: the words name no command of these. */
export async function runAdminCommand(
  commands: readonly AdminCommand[],
  words: readonly string[],
  environment: Environment,
): Promise<number | undefined> {
  const command = findCommand(commands, words)
  if (!command) return explainNoun(commands, words)
  const read = readWords(command, words.slice(command.name.split(' ').length))
  if (!read.ok) return complain([...read.error, '', `Usage: ${command.example}`, `       drawbridge ${command.name} --help says more.`])
  if (read.value.help) {
    console.log(helpOf(command))
    return exitCodes.done.code
  }
  const ready = await prepare(command, read.value, environment)
  if (!ready.ok) return complain(ready.error)
  const outcome = await run(command, ready.value, toolsOf(ready.value.client, read.value, environment))
  return report(command, outcome, read.value.json)
}

/** `drawbridge connection` alone, or with a verb that there is not. */
function explainNoun(commands: readonly AdminCommand[], words: readonly string[]): number | undefined {
  const [noun = '', ...rest] = words
  const ofNoun = commands.filter(({ name }) => name.split(' ')[0] === noun)
  if (ofNoun.length === 0) return undefined
  const verbs = ofNoun.map(({ name }) => name.slice(noun.length + 1))
  const typed = rest.filter((word) => !word.startsWith('-'))
  if (typed.length === 0) {
    console.log(helpOfMany(ofNoun))
    return rest.includes('--help') || rest.length === 0 ? exitCodes.done.code : exitCodes.usage.code
  }
  // `connection metadata aply` is mistaken in its third word.
  const said = typed.slice(0, verbs.some((verb) => verb.startsWith(`${typed[0]} `)) ? 2 : 1).join(' ')
  return complain([`There is no "${noun} ${said}"${meant(typed.join(' '), verbs, `drawbridge ${noun} `)}`, helpOfMany(ofNoun)])
}

function complain(lines: readonly string[]): number {
  console.error(plainLines(lines.join('\n')))
  return exitCodes.usage.code
}

type Ready = { readonly client: AdminClient; readonly given: Given }

async function prepare(command: AdminCommand, words: ReadWords, environment: Environment): Promise<Result<Ready, readonly string[]>> {
  const body = await readBody(command, words.flags, environment)
  if (!body.ok) return body
  try {
    const settings = readCommandLineEnv(environment)
    const origin = adminOrigin(words.url ?? settings.adminUrl)
    if (!origin.ok) return err([`--url ${origin.error}`])
    const key = readAdminKey(settings)
    if (!key.ok) return err([key.error])
    return ok({
      client: adminClient(origin.value, key.value),
      given: { arguments: words.arguments, body: body.value, ifMatch: readIfMatch(command, words.flags) },
    })
  } catch (cause) {
    if (cause instanceof EnvError) return err([cause.message])
    throw cause
  }
}

const toolsOf = (client: AdminClient, { yes, json }: ReadWords, environment: Environment): Tools => ({
  client,
  environment,
  show: (line) => (json ? undefined : console.log(plainLines(line))),
  say: (line) => (json ? console.error(plainLines(line)) : console.log(plainLines(line))),
  confirm: async (question) => {
    if (yes) return 'agreed'
    if (!process.stdin.isTTY) {
      console.error(`${plainText(question)}\nNobody is there to answer: say --yes if that is meant.`)
      return 'unasked'
    }
    const terminal = createInterface({ input: process.stdin, output: process.stderr })
    try {
      return /^y(es)?$/i.test((await terminal.question(`${plainText(question)} [y/N] `)).trim()) ? 'agreed' : 'declined'
    } finally {
      terminal.close()
    }
  },
})

async function run(command: AdminCommand, { given, client }: Ready, tools: Tools): Promise<Outcome> {
  const said = command.confirms === undefined ? 'agreed' : await tools.confirm(fillIn(command.confirms, given))
  if (said !== 'agreed') return { kind: said }
  return command.load ? (await command.load())(given, tools) : makeCall(command, given, client)
}

const fillIn = (text: string, { arguments: named }: Given): string =>
  text.replaceAll(/\{([\w-]+)\}/g, (_, name: string) => (named as Readonly<Record<string, string | undefined>>)[name] ?? '')

function report(command: AdminCommand, outcome: Outcome, json: boolean): number {
  if (outcome.kind === 'unasked' || outcome.kind === 'declined') {
    console.error('Nothing was done.')
    return outcome.kind === 'declined' ? exitCodes.declined.code : exitCodes.usage.code
  }
  if (outcome.kind === 'refused') return reportRefused(outcome, json)
  const says = outcome.says ?? command.done
  const shown = json ? jsonText(outcome.answer ?? null) : showAnswer(outcome.answer, command.shows, process.stdout.isTTY)
  if (shown !== '') console.log(shown)
  if (says !== undefined && !json) console.error(plainLines(says))
  return outcome.exitCode ?? exitCodes.done.code
}

function reportRefused({ refused, exitCode, answer }: Extract<Outcome, { kind: 'refused' }>, json: boolean): number {
  if (json) console.log(jsonText({ ...refused, ...(answer as object | undefined) }))
  else console.error(showRefused(refused))
  return exitCode ?? (refused.status === 0 ? exitCodes.unreachable.code : exitCodes.refused.code)
}
