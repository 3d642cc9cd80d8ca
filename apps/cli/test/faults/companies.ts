/**
 * Customers of the installation, each with an IdP, a directory and an agent of its own, who share the vendor's resource. All have the same cast under the
 * same ids, so that whoever is taken for her namesake at another company shows.
 */
import { type Browser, openBrowser } from '@drawbridge/simulator/browser'
import { redirectUri } from '../a-client.js'
import { aCompanyIdp, type Customer, makeCustomer, type Production, publicUrl, type SharedResource } from '../a-production.js'
import { type Agent, anAgent } from './agent.js'
import { type IssuerPath, issuerPathsOf } from './ledger.js'
import { type Outside, originOf } from './outside.js'

export type Company = Customer & {
  readonly slug: string
  readonly issuerPaths: readonly [own: IssuerPath, front: IssuerPath]
  readonly agent: Agent
  /** Of its cast so many are in the load. */
  readonly staff: number
  /** Where it is told of outside, and its clients are. */
  readonly toldAt: string
  browser(): Browser
}

/** One with most of the load, and two whose turn must come beside it. */
const sizes: Readonly<Record<string, number>> = { initech: 4, hooli: 2, umbrella: 2 }

export type Surroundings = {
  readonly admin: Production['admin']
  readonly brokersAt: string
  readonly shared: SharedResource
  readonly outside: Outside
  readonly ends: (end: () => unknown) => void
}

export async function openCompanies(surroundings: Surroundings): Promise<readonly Company[]> {
  const companies: Company[] = []
  for (const [slug, staff] of Object.entries(sizes)) companies.push(await openCompany(surroundings, slug, staff))
  return companies
}

async function openCompany({ admin, brokersAt, shared, outside, ends }: Surroundings, slug: string, staff: number): Promise<Company> {
  const idpUrl = `https://idp.${slug}.example`
  const idp = await aCompanyIdp(idpUrl)
  ends(() => idp.simulator.close())
  const toldAt = originOf(outside, slug)
  const customer = await makeCustomer(admin, idp.simulator, { brokersAt, resource: shared, slug }, { logoutUpstream: false })
  const agent = await anAgent(admin, { slug, ...customer })
  await idp.simulator.provision('acme')
  const hook = { name: 'SIEM', url: `${toldAt}/siem`, events: ['access.ended', 'access.dead_everywhere'] }
  const { status } = await admin('POST', `/tenants/${slug}/webhooks`, hook)
  if (status !== 201) throw new Error(`the webhook of ${slug} was answered ${status}`)
  const servers = new Map([
    [publicUrl, brokersAt],
    [idpUrl, idp.at],
  ])
  const findServer = (url: URL) => new URL(url.pathname + url.search, servers.get(url.origin) ?? url.origin)
  return {
    ...customer,
    ...{ slug, issuerPaths: issuerPathsOf(slug), agent, staff, toldAt },
    browser: () => openBrowser({ stopAt: redirectUri, findServer }),
  }
}
