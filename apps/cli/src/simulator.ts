/** The simulator beside us: loaded only when asked for, because the production image does not contain it. */
import type { Simulator } from '@drawbridge/simulator/simulator'
import type { Demonstration } from './demonstration-file.js'
import type { Platform } from './platform.js'

export type StartedSimulator = { readonly simulator: Simulator; readonly url: string }

export async function startSimulator(platform: Platform, keysFolder: string): Promise<StartedSimulator> {
  const { createSimulator } = await import('@drawbridge/simulator/simulator')
  const { settings, clock, log } = platform
  const simulator = createSimulator({
    port: settings.simulatorPort,
    keysFolder,
    signInWithoutAsking: platform.installation.kind === 'lab',
    now: () => new Date(clock.now()),
    onError: (error) => log.error({ cause: error instanceof Error ? (error.stack ?? error.message) : String(error) }, 'simulator failed'),
  })
  const { url } = await simulator.start()
  return { simulator, url }
}

/** Enters at each company what its administrator would: where Drawbridge is, and the SCIM token. */
export function connectSimulator(simulator: Simulator, publicUrl: string, demonstration: Demonstration): void {
  for (const { slug, connectionId, scimToken } of demonstration.tenants) {
    const issuer = `${publicUrl}/t/${slug}`
    simulator.connect(slug, {
      issuer,
      scimBaseUrl: `${issuer}/scim/v2`,
      scimToken,
      ...(slug === 'acme'
        ? { acsUrl: `${issuer}/saml/${connectionId}/acs`, spEntityId: `${issuer}/saml/${connectionId}/metadata` }
        : {
            oidcRedirectUri: `${issuer}/oidc/${connectionId}/callback`,
            initiateLoginUri: `${issuer}/oidc/${connectionId}/initiate`,
            backchannelLogoutUri: `${issuer}/oidc/${connectionId}/backchannel-logout`,
            postLogoutRedirectUri: `${issuer}/logout/done`,
          }),
    })
  }
}
