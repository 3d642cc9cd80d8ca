/** The composition root: the only place that knows every app. Each command is a file. */
import { EnvError, processEnvironment, readEnv, type Settings } from '@drawbridge/runtime/env'
import { explainFailure } from './explain-failure.js'

type Run = (settings: Settings, rest: readonly string[]) => Promise<number>
/** What it needs is loaded when it is called: a broker holds no queue in memory, and a worker no endpoints. */
type Command = { readonly name: string; readonly does: string; readonly load: () => Promise<Run> }

const commands: readonly Command[] = [
  {
    name: 'start',
    does: 'everything on this machine: database, broker, worker, simulator, example (--lab: a laboratory)',
    load: async () => (await import('./start.js')).runStart,
  },
  { name: 'broker', does: 'the HTTP process alone, on DATABASE_URL', load: async () => (await import('./broker.js')).runBroker },
  { name: 'worker', does: 'the background process alone, on DATABASE_URL', load: async () => (await import('./worker.js')).runWorker },
  {
    name: 'migrate',
    does: 'bring the database of DATABASE_OWNER_URL up to date',
    load: async () => (await import('./migrate.js')).runMigrate,
  },
  {
    name: 'admin-key create',
    does: 'print a new key to the admin API, once (--name <text>)',
    load: async () => (await import('./admin-key.js')).createAdminKeyCommand,
  },
  {
    name: 'master-key create',
    does: 'print a new master key that DRAWBRIDGE_KMS_KEY wrapped; nobody has seen it',
    load: async () => (await import('./master-key.js')).createMasterKeyCommand,
  },
  {
    name: 'master-key rewrap',
    does: 'print DRAWBRIDGE_WRAPPED_MASTER_KEYS wrapped anew (--to <arn>: under another KMS key)',
    load: async () => (await import('./master-key.js')).rewrapMasterKeysCommand,
  },
  {
    name: 'recover',
    does: 'after a restore of the database: end everything issued before (--nothing-lost: write down that no commit was lost)',
    load: async () => (await import('./recover.js')).runRecover,
  },
  {
    name: 'reseal',
    does: 'seal everything under the current master key, and say when older ones may go',
    load: async () => (await import('./reseal.js')).runReseal,
  },
  {
    name: 'demo',
    does: 'the story from login to kill against a running Drawbridge',
    load: async () => (await import('./demo.js')).runDemo,
  },
  {
    name: 'doctor',
    does: 'look at this machine and these settings and say what is wrong',
    load: async () => (await import('./doctor.js')).runDoctor,
  },
]

/** Answers the exit code. */
export async function main(words: readonly string[]): Promise<number> {
  const command = commands.find(({ name }) => words.join(' ') === name || words.join(' ').startsWith(`${name} `))
  try {
    if (!command) return await administer(words)
    const rest = words.slice(command.name.split(' ').length)
    const settings = readEnv(environmentOf(rest))
    const run = await command.load()
    return await run(settings, rest)
  } catch (error) {
    console.error(error instanceof EnvError ? error.message : explainFailure(error))
    return 1
  }
}

/** Commands of the admin API are a client's: they need an address and a key, and nothing that a broker does. */
async function administer(words: readonly string[]): Promise<number> {
  const { adminCommands } = await import('./admin/commands.js')
  const { runAdminCommand } = await import('./admin/run-command.js')
  const code = await runAdminCommand(adminCommands, words, processEnvironment())
  if (code !== undefined) return code
  const { meant } = await import('./admin/read-words.js')
  const nouns = nounsOf(adminCommands)
  const near = meant(words.join(' '), [...commands, ...adminCommands].map(({ name }) => name).concat(nouns), 'drawbridge ')
  return usage(words, nouns, near)
}

const nounsOf = (list: readonly { readonly name: string }[]): readonly string[] => [
  ...new Set(list.map(({ name }) => name.split(' ')[0] ?? '')),
]

/** `--lab` is a setting like any other, so that the rules about lab hold for it too. */
function environmentOf(rest: readonly string[]) {
  return rest.includes('--lab') ? { ...processEnvironment(), DRAWBRIDGE_LAB: 'true' } : processEnvironment()
}

function usage(words: readonly string[], nouns: readonly string[], near: string): number {
  const asked = words.length === 0 || words[0] === '--help' || words[0] === 'help'
  const lines = commands.map(({ name, does }) => `  drawbridge ${name.padEnd(18)} ${does}`)
  const unknown = asked ? [] : [`There is no command "${words.join(' ')}"${near || '.'}`]
  const administering = [
    '',
    'Through the admin API (DRAWBRIDGE_ADMIN_URL, DRAWBRIDGE_ADMIN_KEY); each alone lists what it does:',
    `  ${nouns.join(', ')}`,
  ]
  console.error([...unknown, 'Commands:', ...lines, ...administering].join('\n'))
  return asked ? 0 : 2
}
