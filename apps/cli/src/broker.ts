/** `drawbridge broker`: the HTTP process alone. Any number may run on one database. */
import type { Settings } from '@drawbridge/runtime/env'
import { startBroker } from './compose.js'
import { openPlatform } from './platform.js'
import { untilStopped } from './until-stopped.js'

export async function runBroker(settings: Settings): Promise<number> {
  const platform = await openPlatform(settings, { kind: settings.lab ? 'lab' : 'production' })
  const broker = await startBroker(platform)
  platform.log.info({ port: broker.port, publicUrl: settings.publicUrl }, 'broker is ready')
  return untilStopped(
    [
      { name: 'platform', stop: () => platform.close() },
      { name: 'broker', stop: () => broker.close() },
    ],
    platform.log,
  )
}
