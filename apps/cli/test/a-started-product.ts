/** The whole product as its own process, by the command that people type; reached by HTTP alone. */
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { aPreparedFolder } from './a-prepared-folder.js'
import { aProcess, type Environment, until } from './a-process.js'
import { environmentIn, type Hands, handsOn } from './a-product.js'

export async function aStartedProduct(more: Environment = {}): Promise<Hands & { stop(): Promise<void> }> {
  const folder = await aPreparedFolder('drawbridge started ')
  const environment = { ...(await environmentIn(folder)), ...more }
  const running = aProcess(['start'], environment)
  const stop = async () => {
    await running.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await until(running, () => running.output().includes('Drawbridge is ready'))
  } catch (error) {
    await stop()
    throw error
  }
  const file = join(folder, 'data', 'demo-demonstration.json')
  const { adminKey } = JSON.parse(readFileSync(file, 'utf8')) as { adminKey: string }
  const at = (name: string) => `http://127.0.0.1:${environment[name]}`
  const hands = handsOn({
    publicUrl: environment['DRAWBRIDGE_PUBLIC_URL'] ?? '',
    simulatorUrl: at('DRAWBRIDGE_SIMULATOR_PORT'),
    mcpUrl: `${at('DRAWBRIDGE_EXAMPLE_SERVER_PORT')}/mcp`,
    adminKey,
  })
  return { ...hands, stop }
}
