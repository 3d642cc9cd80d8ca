/** Where the admin key comes from: a variable, or a file that is its owner's alone. Never a word of the command. */
import { statSync } from 'node:fs'
import { err, ok, type Result } from '@drawbridge/core/result'
import { Secret } from '@drawbridge/core/secret'
import type { CommandLineSettings } from '@drawbridge/runtime/env'
import { firstLine, readTyped } from './read-file.js'

const othersMay = 0o077

export function readAdminKey({ adminKey, adminKeyFile }: CommandLineSettings): Result<Secret, string> {
  if (adminKey) return ok(adminKey)
  if (adminKeyFile === undefined)
    return err('there is no admin key: set DRAWBRIDGE_ADMIN_KEY, or DRAWBRIDGE_ADMIN_KEY_FILE to a file that holds it')
  const read = firstLine(adminKeyFile, readTyped(adminKeyFile))
  if (!read.ok) return err(`DRAWBRIDGE_ADMIN_KEY_FILE: ${read.error}`)
  // Windows has no such bits.
  const isOpen = process.platform !== 'win32' && (statSync(adminKeyFile).mode & othersMay) !== 0
  return isOpen ? err(`others may read ${adminKeyFile}, so it is no secret: chmod 600 ${adminKeyFile}`) : ok(new Secret(read.value.trim()))
}
