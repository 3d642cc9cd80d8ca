/** The example MCP server beside us, guarded for the issuers of the demonstration. Loaded only when asked for, as the simulator is. */
import type { Demonstration } from './demonstration-file.js'
import type { Platform } from './platform.js'

export type RunningExample = { readonly url: string; close(): Promise<void> }

export async function startExampleServer(platform: Platform, demonstration: Demonstration): Promise<RunningExample> {
  const { createExampleMcpServer } = await import('@drawbridge/example-mcp-server/example-server')
  const { settings, clock, log } = platform
  const url = exampleUrl(settings.exampleServerPort)
  const example = await createExampleMcpServer({
    resource: url,
    port: settings.exampleServerPort,
    issuers: demonstration.tenants.map(({ slug }) => ({
      issuer: `${settings.publicUrl}/t/${slug}`,
      credential: demonstration.resourceCredential,
    })),
    now: () => clock.now(),
    onTrouble: (issuer, trouble) => log.warn({ issuer, trouble }, 'the example server does not hear its issuer'),
  })
  return { url, close: () => example.close() }
}

/** Its resource identifier: what tokens for it carry as `aud`. */
export const exampleUrl = (port: number): string => `http://127.0.0.1:${port}/mcp`
