/** The composition root: the only place that knows every app. Each command is a file. */
import { EnvError, processEnvironment, readEnv, type Settings } from '@drawbridge/runtime/env'
import { createAdminKeyCommand } from './admin-key.js'
import { runBroker } from './broker.js'
import { runDemo } from './demo.js'
import { runDoctor } from './doctor.js'
import { explainFailure } from './explain-failure.js'
import { runMigrate } from './migrate.js'
import { runReseal } from './reseal.js'
import { runStart } from './start.js'
import { runWorker } from './worker.js'

type Command = {
  readonly name: string
  readonly does: string
  readonly run: (settings: Settings, rest: readonly string[]) => Promise<number>
}

const commands: readonly Command[] = [
  { name: 'start', does: 'everything on this machine: database, broker, worker, simulator, example (--lab: a laboratory)', run: runStart },
  { name: 'broker', does: 'the HTTP process alone, on DATABASE_URL', run: runBroker },
  { name: 'worker', does: 'the background process alone, on DATABASE_URL', run: runWorker },
  { name: 'migrate', does: 'bring the database of DATABASE_OWNER_URL up to date', run: runMigrate },
  { name: 'admin-key create', does: 'print a new key to the admin API, once (--name <text>)', run: createAdminKeyCommand },
  { name: 'reseal', does: 'seal everything under the current master key, and say when older ones may go', run: runReseal },
  { name: 'demo', does: 'the story from login to kill against a running Drawbridge', run: runDemo },
  { name: 'doctor', does: 'look at this machine and these settings and say what is wrong', run: runDoctor },
]

/** Answers the exit code. */
export async function main(words: readonly string[]): Promise<number> {
  const command = commands.find(({ name }) => words.join(' ') === name || words.join(' ').startsWith(`${name} `))
  if (!command) return usage(words)
  try {
    const rest = words.slice(command.name.split(' ').length)
    return await command.run(readEnv(environmentOf(rest)), rest)
  } catch (error) {
    console.error(error instanceof EnvError ? error.message : explainFailure(error))
    return 1
  }
}

/** `--lab` is a setting like any other, so that the rules about lab hold for it too. */
function environmentOf(rest: readonly string[]) {
  return rest.includes('--lab') ? { ...processEnvironment(), DRAWBRIDGE_LAB: 'true' } : processEnvironment()
}

function usage(words: readonly string[]): number {
  const asked = words.length === 0 || words[0] === '--help' || words[0] === 'help'
  const lines = commands.map(({ name, does }) => `  drawbridge ${name.padEnd(18)} ${does}`)
  console.error([...(asked ? [] : [`There is no command "${words.join(' ')}".`]), 'Commands:', ...lines].join('\n'))
  return asked ? 0 : 2
}
