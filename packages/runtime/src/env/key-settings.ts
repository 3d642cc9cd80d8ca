/** Settings of the keys under which everything secret in the database is sealed. */
import { defaultKeyAgeDays } from '@drawbridge/core/oauth/key-rotation'
import { err, ok, type Result } from '@drawbridge/core/result'
import { Secret } from '@drawbridge/core/secret'
import { listed, optional, required, type SettingEntries, whole } from './setting.js'

export type MasterKeySetting = { readonly version: number; readonly key: Secret }

export type KeySettings = {
  readonly masterKeys: readonly MasterKeySetting[]
  readonly currentMasterKey: number | undefined
  /** `undefined`: age rotates nothing. */
  readonly signingKeyDays: number | undefined
}

const mostSigningKeyDays = 3650
const days = whole(1, mostSigningKeyDays)
const daysOrOff = (text: string): Result<number | undefined, string> => {
  const read = text === 'off' ? ok(undefined) : days(text)
  return read.ok ? read : err(`${read.error}, or off`)
}

function masterKeys(text: string): Result<readonly MasterKeySetting[], string> {
  const keys: MasterKeySetting[] = []
  for (const item of listed(text)) {
    const match = /^([1-9]\d{0,5}):([A-Za-z0-9+/_-]{43}=?)$/.exec(item)
    if (!match) return err('must be a comma-separated list of <version>:<32 bytes in base64>')
    if (keys.some((key) => key.version === Number(match[1]))) return err(`names version ${match[1]} twice`)
    keys.push({ version: Number(match[1]), key: new Secret(match[2] as string) })
  }
  return ok(keys)
}

export const keySettings: SettingEntries<KeySettings> = {
  masterKeys: {
    name: 'DRAWBRIDGE_MASTER_KEYS',
    description:
      'Master keys, newest version highest: everything secret in the database is sealed under them. Not set: the embedded start makes and keeps one.',
    example: '1:<32 random bytes in base64>',
    default: '',
    parse: required(masterKeys),
  },
  currentMasterKey: {
    name: 'DRAWBRIDGE_CURRENT_MASTER_KEY',
    description:
      'The version of DRAWBRIDGE_MASTER_KEYS that seals what is new; the others only open. Not set: the highest. Name the old one while a new key goes to every process.',
    example: '1',
    default: undefined,
    parse: optional(whole(1, 999_999)),
  },
  signingKeyDays: {
    name: 'DRAWBRIDGE_SIGNING_KEY_DAYS',
    description:
      'After how many days the keys that sign tokens and notices are replaced, nothing that they signed dying by it; off: by hand alone. For workers.',
    example: '30',
    default: String(defaultKeyAgeDays),
    parse: required(daysOrOff),
  },
}
