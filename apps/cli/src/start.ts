/** `drawbridge start`: everything on this machine in one process, on the embedded PostgreSQL, bound to loopback. */
import { join, resolve } from 'node:path'
import { isLoopbackHost, type Settings } from '@drawbridge/runtime/env'
import { createLog } from '@drawbridge/runtime/log'
import type { Stoppable } from '@drawbridge/runtime/shutdown'
import { findTenantBySlugAcrossTenants } from '@drawbridge/store/tenants'
import { startBroker, startWorker } from './compose.js'
import { type Demonstration, readDemonstration, writeDemonstration } from './demonstration-file.js'
import { openEmbeddedDatabase } from './embedded-database.js'
import { exampleUrl, startExampleServer } from './example-server.js'
import { openPlatform, type Platform } from './platform.js'
import { planDemonstration, seedDemonstration } from './seed.js'
import { connectSimulator, type StartedSimulator, startSimulator } from './simulator.js'
import { startParts, untilStopped } from './until-stopped.js'

export type Started = {
  readonly platform: Platform
  readonly parts: readonly Stoppable[]
  readonly demonstration: Demonstration
  readonly isNew: boolean
  readonly simulatorUrl: string
  readonly exampleUrl: string
}

const step = (text: string) => console.error(`drawbridge  ${text}`)

export async function runStart(settings: Settings): Promise<number> {
  if (settings.production)
    throw new Error(
      '"drawbridge start" is for one machine and refuses NODE_ENV=production: run "drawbridge migrate", "drawbridge broker" and "drawbridge worker"',
    )
  if (settings.databaseUrl)
    throw new Error('"drawbridge start" brings its own database: unset DATABASE_URL, or run "drawbridge broker" and "drawbridge worker"')
  if (!isLoopbackHost(new URL(settings.publicUrl).hostname))
    throw new Error('"drawbridge start" brings a simulator and refuses a public DRAWBRIDGE_PUBLIC_URL: use one on loopback, or unset it')
  const begun = performance.now()
  const started = await startEverything(settings)
  printWelcome(started, settings, performance.now() - begun)
  return untilStopped(started.parts, started.platform.log, () => step('Stopping …')).finally(() => step('Stopped. The data are kept.'))
}

/** Starts all parts, or stops those that it started and throws. */
export function startEverything(settings: Settings, say: (text: string) => void = step): Promise<Started> {
  return startParts(createLog({ level: 'silent' }), async (parts) => {
    say('Starting PostgreSQL …')
    const embedded = await openEmbeddedDatabase(settings)
    parts.push({ name: 'PostgreSQL', stop: () => embedded.stop() })
    const folder = resolve(settings.dataDirectory)
    const kind = settings.lab ? 'lab' : 'demo'
    const platform = await openPlatform(embedded.settings, { kind, logFile: join(folder, `${kind}.log`) })
    parts.push({ name: 'connections', stop: () => platform.close() })
    say('Starting the simulator …')
    const simulator = await startSimulator(platform, join(folder, `${kind}-simulator`))
    parts.push({ name: 'simulator', stop: () => simulator.simulator.close() })
    const { demonstration, isNew } = await ensureDemonstration(platform, simulator, join(folder, `${kind}-demonstration.json`), say)
    connectSimulator(simulator.simulator, settings.publicUrl, demonstration)
    say('Starting broker and worker …')
    const exampleOrigin = `http://127.0.0.1:${settings.exampleServerPort}`
    const broker = await startBroker(platform, [simulator.url, exampleOrigin])
    parts.push({ name: 'broker', stop: () => broker.close() })
    const worker = await startWorker(platform, [simulator.url])
    parts.push({ name: 'worker', stop: () => worker.close() })
    const example = await startExampleServer(platform, demonstration)
    parts.push({ name: 'example MCP server', stop: () => example.close() })
    return { platform, parts, demonstration, isNew, simulatorUrl: simulator.url, exampleUrl: example.url }
  })
}

/** The credentials are kept before the database hears of them: a start that was killed in between is completed, not begun anew. */
async function ensureDemonstration(
  platform: Platform,
  simulator: StartedSimulator,
  file: string,
  say: (text: string) => void,
): Promise<{ demonstration: Demonstration; isNew: boolean }> {
  const known = readDemonstration(file)
  if (known && !known.unfinished) return { demonstration: known, isNew: false }
  say(`${known ? 'Completing' : 'Making'} the demonstration: tenants acme and globex …`)
  const plan = known ?? planDemonstration(platform)
  if (!known && (await findTenantBySlugAcrossTenants(platform.database, 'globex')))
    throw new Error(`the database holds a demonstration, but ${file} is missing: remove ${platform.settings.dataDirectory} to begin anew`)
  writeDemonstration(file, plan)
  await seedDemonstration(platform, simulator.simulator, exampleUrl(platform.settings.exampleServerPort), plan)
  const { unfinished: _, ...demonstration } = plan
  writeDemonstration(file, demonstration)
  return { demonstration, isNew: true }
}

function printWelcome(started: Started, settings: Settings, elapsedMs: number): void {
  const { isNew, simulatorUrl, demonstration } = started
  const lines = [
    '',
    `  Drawbridge is ready (${(elapsedMs / 1000).toFixed(1)} s). ${isNew ? 'A new database was made.' : `Data of earlier starts are kept in ${settings.dataDirectory}/.`}`,
    ...(settings.lab ? ['  LAB MODE: a movable clock and loopback fetches. Nothing real belongs in here.'] : []),
    '',
    `    broker               ${settings.publicUrl}`,
    ...demonstration.tenants.map(({ slug }) => `      issuer of ${slug.padEnd(10)} ${settings.publicUrl}/t/${slug}`),
    `    company simulator    ${simulatorUrl}`,
    `    example MCP server   ${started.exampleUrl}`,
    `    logs                 ${settings.dataDirectory}/${settings.lab ? 'lab' : 'demo'}.log`,
    ...(isNew ? ['', `    admin API key, shown this once:  ${demonstration.adminKey}`] : []),
    '',
    '  Next, in another terminal:',
    '    npm run demo         the story: login, scoped token, tool call, kill',
    `    curl ${settings.publicUrl}/t/acme/.well-known/openid-configuration`,
    '',
    '  Ctrl-C stops everything.',
    '',
  ]
  console.log(lines.join('\n'))
}
