// Stops the throw-away PostgreSQL and removes its files.
import { rmSync } from 'node:fs'

export default async function tearDown() {
  const { server, directory } = globalThis.drawbridgeTest ?? {}
  await server?.stop()
  if (directory) rmSync(directory, { recursive: true, force: true })
}
