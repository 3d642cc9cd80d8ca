/** Settings of the keys under which everything secret in the database is sealed. */
import { defaultKeyAgeDays } from '@drawbridge/core/oauth/key-rotation'
import { err, ok, type Result } from '@drawbridge/core/result'
import { Secret } from '@drawbridge/core/secret'
import { listed, optional, required, type SettingEntries, whole } from './setting.js'

export type MasterKeySetting = { readonly version: number; readonly key: Secret }

/** A master key as a KMS wrapped it: of no use to whoever may not ask that KMS. */
export type WrappedMasterKeySetting = { readonly version: number; readonly wrapped: Buffer }
export type KmsKeySetting = { readonly arn: string; readonly region: string }

export type KeySettings = {
  readonly masterKeys: readonly MasterKeySetting[]
  readonly wrappedMasterKeys: readonly WrappedMasterKeySetting[]
  readonly kmsKey: KmsKeySetting | undefined
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

/** Each is asked for at every start, one after the other, so there are few. */
const mostWrappedMasterKeys = 8

function wrappedMasterKeys(text: string): Result<readonly WrappedMasterKeySetting[], string> {
  const keys: WrappedMasterKeySetting[] = []
  for (const item of listed(text)) {
    // What AWS KMS gives out has at most 6144 octets.
    const match = /^([1-9]\d{0,5}):([A-Za-z0-9+/]{40,8192}={0,2})$/.exec(item)
    if (!match) return err('must be a comma-separated list of <version>:<wrapped key in base64>')
    if (keys.some((key) => key.version === Number(match[1]))) return err(`names version ${match[1]} twice`)
    keys.push({ version: Number(match[1]), wrapped: Buffer.from(match[2] as string, 'base64') })
  }
  return keys.length <= mostWrappedMasterKeys ? ok(keys) : err(`may hold at most ${mostWrappedMasterKeys} keys`)
}

/** A key, never an alias: an alias can be led to another key, under which nothing opens. */
export function kmsKeyArn(text: string): Result<KmsKeySetting, string> {
  const match = /^arn:aws[a-z-]{0,20}:kms:([a-z0-9-]{1,32}):\d{12}:key\/[A-Za-z0-9-]{1,64}$/.exec(text)
  return match ? ok({ arn: text, region: match[1] as string }) : err('must be the ARN of a key of AWS KMS, not of an alias')
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
  wrappedMasterKeys: {
    name: 'DRAWBRIDGE_WRAPPED_MASTER_KEYS',
    description:
      'Master keys that DRAWBRIDGE_KMS_KEY wrapped, as "drawbridge master-key create" prints them; each process has them unwrapped there when it starts. A version is in this list or in DRAWBRIDGE_MASTER_KEYS, not in both.',
    example: '2:<what drawbridge master-key create printed>',
    default: '',
    parse: required(wrappedMasterKeys),
  },
  kmsKey: {
    name: 'DRAWBRIDGE_KMS_KEY',
    description:
      'The ARN of the symmetric key of AWS KMS that wraps the master keys. Credentials, and another address than that of its region (AWS_ENDPOINT_URL_KMS), are where the AWS library looks for them.',
    example: 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab',
    default: undefined,
    parse: optional(kmsKeyArn),
  },
  currentMasterKey: {
    name: 'DRAWBRIDGE_CURRENT_MASTER_KEY',
    description:
      'The version of the master keys that seals what is new; the others only open. Not set: the highest. Name the old one while a new key goes to every process.',
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
