/** Every setting of the product; `readEnv` reports all mistakes at once. `.env.example` is printed from here. */
import { combinationRules } from './env/combination-rules.js'
import { type CommandLineSettings, commandLineSettings } from './env/command-line-settings.js'
import { type KeySettings, keySettings } from './env/key-settings.js'
import { type MailSettings, mailSettings } from './env/mail-settings.js'
import { type NetworkSettings, networkSettings } from './env/network-settings.js'
import { type OperationSettings, operationSettings } from './env/operation-settings.js'
import type { SettingEntries, SettingEntry } from './env/setting.js'
import { type StorageSettings, storageSettings } from './env/storage-settings.js'

export { isLoopbackHost } from './env/combination-rules.js'
export { adminOrigin, type CommandLineSettings, commandLineSettings } from './env/command-line-settings.js'
export { type KmsKeySetting, kmsKeyArn, type MasterKeySetting, type WrappedMasterKeySetting } from './env/key-settings.js'

export type Settings = OperationSettings & NetworkSettings & StorageSettings & KeySettings & MailSettings

/** The table, area by area. A new setting is a new line in its area, and nowhere else. */
export const settingEntries: SettingEntries<Settings> = {
  ...operationSettings,
  ...networkSettings,
  ...storageSettings,
  ...keySettings,
  ...mailSettings,
}

/** All that is wrong with the environment, in one error. */
export class EnvError extends Error {
  constructor(readonly mistakes: readonly string[]) {
    super(`the settings cannot be used:\n${mistakes.map((mistake) => `  - ${mistake}`).join('\n')}`)
    this.name = 'EnvError'
  }
}

export type EnvSource = Readonly<Record<string, string | undefined>>

/** Reads all settings, or throws one `EnvError` that names every mistake. An empty variable counts as not set. */
export function readEnv(source: EnvSource): Settings {
  const { settings, mistakes, wrong } = readEntries<Settings>(settingEntries, source)
  // A rule that looks at a setting which is wrong by itself has nothing to judge yet.
  const judged = combinationRules.filter(({ reads }) => reads.every((key) => !wrong.has(key)))
  const impossible = judged.filter(({ holds }) => holds(settings)).map(({ message }) => message)
  if (mistakes.length + impossible.length > 0) throw new EnvError([...mistakes, ...impossible])
  return settings
}

/** What a command of the admin API needs, and nothing that only a broker does. Throws as `readEnv` does. */
export function readCommandLineEnv(source: EnvSource): CommandLineSettings {
  const { settings, mistakes } = readEntries<CommandLineSettings>(commandLineSettings, source)
  const both = settings.adminKey !== undefined && settings.adminKeyFile !== undefined
  const impossible = both ? ['DRAWBRIDGE_ADMIN_KEY and DRAWBRIDGE_ADMIN_KEY_FILE are both set: which one is meant?'] : []
  if (mistakes.length + impossible.length > 0) throw new EnvError([...mistakes, ...impossible])
  return settings
}

function readEntries<S>(entries: SettingEntries<S>, source: EnvSource) {
  const mistakes: string[] = []
  const wrong = new Set<string>()
  const read = Object.entries<SettingEntry<unknown>>(entries).map(([key, entry]) => {
    const given = source[entry.name]
    const parsed = entry.parse(given === undefined || given === '' ? entry.default : given)
    if (!parsed.ok) {
      wrong.add(key)
      mistakes.push(`${entry.name} ${parsed.error} (for example ${entry.example})`)
    }
    return [key, parsed.ok ? parsed.value : undefined]
  })
  return { settings: Object.fromEntries(read) as S, mistakes, wrong }
}

/** The environment of this process; nothing else of the house reads it. */
export const processEnvironment = (): EnvSource => process.env
