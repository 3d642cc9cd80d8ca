/** The official MCP conformance suite, asked about the authorization server of a tenant and the front issuer of all; a person signs in at the company for it. */
import { callbackUri, runOfficialSuite, type SuiteRun, scenariosOfSuite } from '@drawbridge/conformance/official-suite'
import { openBrowser } from '@drawbridge/simulator/browser'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { registerAt, walk } from './a-client.js'
import { aFrontIssuer } from './a-front-issuer.js'
import { aProduct, type Company, type Product } from './a-product.js'

let product: Product

beforeAll(async () => {
  product = await aProduct()
  await aFrontIssuer(product)
}, 120_000)
afterAll(() => product?.stop(), 60_000)

type Where = Company | 'the front issuer'
const issuerOf = (where: Where) => (where === 'the front issuer' ? product.publicUrl : product.issuer(where))

async function run(where: Where, resource?: string, atConsent: 'allow' | 'deny' = 'allow'): Promise<SuiteRun> {
  const issuer = issuerOf(where)
  const port = await freePort()
  const clientId = await registerAt(issuer, { redirect_uris: [callbackUri(port)] })
  const signIn = async (url: string) => {
    const { page } = await walk(await openBrowser().open(url), { name: 'ada', atConsent })
    if (!page.url.startsWith(callbackUri(port))) throw new Error(`she came no further than ${page.url}: ${page.text}`)
  }
  return runOfficialSuite({ issuer, clientId, port, signIn, ...(resource === undefined ? {} : { resource }) })
}

const verdicts = ({ checks }: SuiteRun): string[] => checks.map(({ scenario, id, status }) => `${scenario}: ${id} ${status}`).sort()
const metadataHolds = [
  'authorization-server-metadata-endpoint: authorization-server-metadata SUCCESS',
  'authorization-server-metadata-endpoint: authorization-server-metadata-cimd SUCCESS',
]

describe.each(['acme', 'globex', 'the front issuer'] as const)('at %s', (where) => {
  it.each(['with the resource named', 'without a resource'])('%s, every scenario runs and nothing is found wanting', async (how) => {
    const ran = await run(where, how.startsWith('with ') ? product.mcpUrl : undefined)
    expect(verdicts(ran)).toEqual(['authorization-code-grant: authorization-code-grant SUCCESS', ...metadataHolds])
    expect(ran.exitCode).toBe(0)
  })
})

it('every scenario that the suite has for authorization servers is one of those that ran', () => {
  const ran = ['authorization-code-grant', 'authorization-server-metadata-endpoint']
  expect(scenariosOfSuite()).toEqual(ran)
})

it('a grant that ends otherwise is found wanting', async () => {
  const ran = await run('acme', product.mcpUrl, 'deny')
  expect(verdicts(ran)).toEqual(['authorization-code-grant: authorization-code-grant FAILURE', ...metadataHolds])
  expect(ran.exitCode).toBe(1)
})
