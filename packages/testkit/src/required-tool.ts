/** What npm cannot bring: such a test is skipped where the tool is missing, and fails where the environment says that it must be there. */
import { spawnSync } from 'node:child_process'

const required = (process.env['DRAWBRIDGE_TEST_REQUIRES'] ?? '').split(',').map((name) => name.trim())

/** True: run. False: skip, the reason is printed. */
export function hasTool(name: string, command: string = name): boolean {
  if (spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0) return true
  if (required.includes(name)) throw new Error(`DRAWBRIDGE_TEST_REQUIRES names ${name}, but there is no ${command}`)
  console.log(`skipped: there is no ${command} on this machine`)
  return false
}
