/** What a test of one sign-in begins with: a company, an IdP that says who comes, and a broker between them, whose clock is the test's. */
import type { BrokerDeps } from '@drawbridge/broker/deps'
import type { Instant } from '@drawbridge/core/instant'
import type { Connector } from '@drawbridge/upstream/connector'
import { aBroker, type TestBroker } from './a-broker.js'
import { type AnIdp, type APlainBrowser, aCompany, anIdp, aPlainBrowser } from './a-login.js'
import type { ATenant } from './a-tenant.js'
import { aTokenClient, type TokenClient } from './a-token-client.js'
import { aTokenKey } from './a-token-key.js'
import { type TestDatabase, testDatabase } from './database.js'

export type SigningIn = {
  readonly fixture: TestDatabase
  readonly idp: AnIdp
  readonly broker: TestBroker
  readonly acme: ATenant
  /** Of acme, as the broker names itself. */
  readonly issuer: string
  readonly client: TokenClient
  /** One that has been nowhere. */
  browser(): APlainBrowser
  close(): Promise<void>
}

/** What the broker has in place of the ordinary. `wrap`: what stands between it and the IdP. */
export type SigningInChange = Partial<BrokerDeps> & { readonly wrap?: (connector: Connector) => Connector }

export async function aSigningIn(
  now: () => Instant,
  { wrap = (connector) => connector, ...change }: SigningInChange = {},
): Promise<SigningIn> {
  const fixture = await testDatabase()
  const acme = await aCompany(fixture, 'acme', now())
  const idp = anIdp(now)
  const connectorFor: AnIdp['connectorFor'] = (tenant, connection) => wrap(idp.connectorFor(tenant, connection))
  const broker = await aBroker(fixture.database, { clock: { now }, connectorFor, ...change })
  await aTokenKey(fixture, broker, acme)
  const issuer = 'http://localhost:4400/t/acme'
  return {
    ...{ fixture, idp, broker, acme, issuer, client: aTokenClient(broker, acme) },
    browser: () => aPlainBrowser({ issuer, url: broker.url }),
    close: async () => {
      await broker.close()
      await fixture.close()
    },
  }
}
