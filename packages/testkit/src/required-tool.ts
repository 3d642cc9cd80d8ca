/** What npm cannot bring: such a test is skipped where the tool is missing, and fails where the environment says that it must be there. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

const required = (process.env['DRAWBRIDGE_TEST_REQUIRES'] ?? '').split(',').map((name) => name.trim())

/** True: run. False: skip, the reason is printed. `file`: what must be there beside the command that runs it. */
export function hasTool(name: string, command: string = name, file?: string): boolean {
  const missing = spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0 ? fileMissing(file) : command
  if (missing === undefined) return true
  if (required.includes(name)) throw new Error(`DRAWBRIDGE_TEST_REQUIRES names ${name}, but there is no ${missing}`)
  console.log(`skipped: there is no ${missing} on this machine`)
  return false
}

const fileMissing = (file: string | undefined): string | undefined => (file === undefined || existsSync(file) ? undefined : file)
