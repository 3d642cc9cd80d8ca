/** `drawbridge broker`: the HTTP process alone. Any number may run on one database. */
import type { Settings } from '@drawbridge/runtime/env'
import { startBroker } from './compose.js'
import { openPlatform } from './platform.js'
import { startParts, untilStopped } from './until-stopped.js'

export async function runBroker(settings: Settings): Promise<number> {
  const platform = await openPlatform(settings, { kind: settings.lab ? 'lab' : 'production' })
  const started = await startParts(platform.log, async (parts) => {
    parts.push({ name: 'platform', stop: () => platform.close() })
    const broker = await startBroker(platform)
    parts.push({ name: 'broker', stop: () => broker.close() })
    platform.log.info({ port: broker.port, publicUrl: settings.publicUrl }, 'broker is ready')
    return parts
  })
  return untilStopped(started, platform.log)
}
