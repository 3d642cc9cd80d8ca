#!/usr/bin/env node
// The command. Everything is in src/main.ts.
import { existsSync } from 'node:fs'

/** What has ended its work may linger this long: to write its last lines, not to wait for a server that is gone. */
const lingerMs = 1000

// Looking a name up holds a thread until its name servers answer; whoever names silent ones must not stop the look-ups of all others.
process.env.UV_THREADPOOL_SIZE ??= '128'

const built = new URL('../dist/main.js', import.meta.url)
if (!existsSync(built)) {
  console.error('drawbridge is not built yet: run "npm start" or "npm run build" first')
  process.exit(1)
}
const { main } = await import(built.href)
process.exitCode = await main(process.argv.slice(2))
setTimeout(() => process.exit(), lingerMs).unref()
