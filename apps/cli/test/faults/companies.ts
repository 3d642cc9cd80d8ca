/**
 * Customers of the installation, each with an IdP, a directory and an agent of its own, who share the vendor's resource. All have the same cast under the
 * same ids, so that whoever is taken for her namesake at another company shows.
 */
import { join } from 'node:path'
import { type Browser, openBrowser } from '@drawbridge/simulator/browser'
import { redirectUri } from '../a-client.js'
import { aCompanyIdp, type Customer, makeCustomer, type Production, publicUrl, type SharedResource } from '../a-production.js'
import { type Agent, anAgent } from './agent.js'
import { type IssuerPath, issuerPathsOf } from './ledger.js'
import { offers } from './offered.js'
import { type Outside, toldAt } from './outside.js'
import { aTransmitter, type Transmitter, transmitterKeysOf } from './transmitter.js'

export type Company = Customer & {
  readonly slug: string
  readonly issuerPaths: readonly [own: IssuerPath, front: IssuerPath]
  readonly agent: Agent
  readonly transmitter: Transmitter
  /** Of its cast so many are in the load. */
  readonly staff: number
  /** Where it is told of outside, and its clients are. */
  readonly toldAt: string
  browser(): Browser
}

/** One with half of the load, and two whose turn must come beside it. In a small run there are half as many people. */
const sizes: Readonly<Record<string, number>> = { initech: 4, hooli: 2, umbrella: 2 }
export const slugs = Object.keys(sizes)

export type Surroundings = {
  readonly admin: Production['admin']
  readonly brokersAt: string
  readonly shared: SharedResource
  readonly outside: Outside
  readonly folder: string
  readonly isSmall: boolean
  readonly ends: (end: () => unknown) => void
}

export async function openCompanies(surroundings: Surroundings): Promise<readonly Company[]> {
  const companies: Company[] = []
  for (const [slug, staff] of Object.entries(sizes))
    companies.push(await openCompany(surroundings, slug, surroundings.isSmall ? staff / 2 : staff))
  return companies
}

async function openCompany(
  { admin, brokersAt, shared, outside, folder, ends }: Surroundings,
  slug: string,
  staff: number,
): Promise<Company> {
  const idpUrl = `https://idp.${slug}.example`
  const idpKeys = join(folder, slug)
  const idp = await aCompanyIdp(idpUrl, { keysFolder: idpKeys })
  ends(() => idp.simulator.close())
  const told = toldAt(outside, slug)
  const keys = await transmitterKeysOf(slug)
  outside.shown.set(`/${slug}/jwks`, keys.jwks)
  const ssf = { issuer: keys.issuer, jwksUri: `${outside.namedOrigin}/${slug}/jwks` }
  const customer = await makeCustomer(admin, idp.simulator, { brokersAt, resource: shared, slug }, { logoutUpstream: false, ssf })
  const agent = await anAgent(admin, { slug, ...customer })
  await idp.simulator.provision('acme')
  const lying = offers()
  outside.asked.set(`/${slug}/offered`, lying.poll)
  const stream = { delivery: 'poll', pollUrl: `${outside.namedOrigin}/${slug}/offered`, credential: { bearerToken: `fetches-for-${slug}` } }
  const fetched = await admin('PUT', `/tenants/${slug}/connections/${customer.connectionId}/signal-stream`, stream)
  if (fetched.status !== 200)
    throw new Error(`the stream to fetch for ${slug} was answered ${fetched.status}: ${JSON.stringify(fetched.json)}`)
  const hook = { name: 'SIEM', url: `${told}/siem`, events: ['access.ended', 'access.dead_everywhere'] }
  const { status } = await admin('POST', `/tenants/${slug}/webhooks`, hook)
  if (status !== 201) throw new Error(`the webhook of ${slug} was answered ${status}`)
  const servers = new Map([
    [publicUrl, brokersAt],
    [idpUrl, idp.at],
  ])
  const findServer = (url: URL) => new URL(url.pathname + url.search, servers.get(url.origin) ?? url.origin)
  return {
    ...customer,
    ...{ slug, issuerPaths: issuerPathsOf(slug), agent, staff, toldAt: told },
    transmitter: await aTransmitter(keys, { slug, connectionId: customer.connectionId, idp: idp.simulator, idpKeys, offers: lying }),
    browser: () => openBrowser({ stopAt: redirectUri, findServer }),
  }
}
