/** Settings of the commands that speak to the admin API. They are read alone: who administers a broker does not run one. */
import { err, ok, type Result } from '@drawbridge/core/result'
import type { Secret } from '@drawbridge/core/secret'
import { isLoopbackHost } from './combination-rules.js'
import { optional, origin, plain, required, type SettingEntries, secretOf } from './setting.js'

export type CommandLineSettings = {
  readonly adminUrl: string
  readonly adminKey: Secret | undefined
  readonly adminKeyFile: string | undefined
}

/** `dba_` and 256 bits in base64url. */
const leastKeyCharacters = 47

/** The key goes there with every call, so nobody on the way may read it. */
export function adminOrigin(text: string): Result<string, string> {
  const read = origin(text)
  if (!read.ok) return read
  const { protocol, hostname } = new URL(text)
  return protocol === 'https:' || isLoopbackHost(hostname) ? ok(text) : err('must begin with https:// unless its host is loopback')
}

export const commandLineSettings: SettingEntries<CommandLineSettings> = {
  adminUrl: {
    name: 'DRAWBRIDGE_ADMIN_URL',
    description: 'Where the broker is that the commands of the admin API speak to; --url says it for one command.',
    example: 'https://login.example.com',
    default: 'http://localhost:4400',
    parse: required(adminOrigin),
  },
  adminKey: {
    name: 'DRAWBRIDGE_ADMIN_KEY',
    description: 'The admin key of those commands. Never an argument: everybody on the machine can read those.',
    example: 'dba_…',
    default: undefined,
    parse: optional(secretOf(leastKeyCharacters)),
  },
  adminKeyFile: {
    name: 'DRAWBRIDGE_ADMIN_KEY_FILE',
    description: 'A file that holds the admin key and that nobody but its owner may read; instead of DRAWBRIDGE_ADMIN_KEY.',
    example: '/home/ops/.config/drawbridge/admin-key',
    default: undefined,
    parse: optional(plain),
  },
}
