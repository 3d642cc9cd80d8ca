/** `drawbridge worker`: the background process alone. Any number may run on one database. */
import type { Settings } from '@drawbridge/runtime/env'
import { startWorker } from './compose.js'
import { openPlatform } from './platform.js'
import { startParts, untilStopped } from './until-stopped.js'

export async function runWorker(settings: Settings): Promise<number> {
  const platform = await openPlatform(settings, { kind: settings.lab ? 'lab' : 'production' })
  const started = await startParts(platform.log, async (parts) => {
    parts.push({ name: 'platform', stop: () => platform.close() })
    const worker = await startWorker(platform)
    parts.push({ name: 'worker', stop: () => worker.close() })
    platform.log.info({ port: worker.port }, 'worker is ready')
    return parts
  })
  return untilStopped(started, platform.log)
}
