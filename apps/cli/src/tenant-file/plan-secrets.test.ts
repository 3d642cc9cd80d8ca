/** What a plan does with the client secret that a broker keeps: it goes along where an address changes, and goes where nothing needs it. */
import { expect, it } from 'vitest'
import { aLiveConnection, aLiveTenant } from '../../test/a-living-tenant.js'
import { planTenant } from './plan.js'
import { secret } from './plan-change.js'
import { tenantShape } from './shape.js'

const named = { fromEnv: 'SECRET_OF_ENTRA' }
const entra = { issuer: 'https://idp.example', clientId: 'drawbridge' }
const moved = { ...entra, issuer: 'https://other.example' }

function planOf(configuration: object, clientSecret?: object, live = aLiveConnection()) {
  const file = tenantShape.parse({
    version: 1,
    tenant: { slug: 'initech', name: 'Initech' },
    connections: [{ name: 'Entra', kind: 'oidc', configuration, ...(clientSecret && { clientSecret }) }],
  })
  const options = { prune: false, secrets: false, vendorResources: [] }
  const { changes, impossible } = planTenant(file, { policy: undefined, cases: undefined }, aLiveTenant({ connections: [live] }), options)
  const steps = changes.filter(({ what }) => what === 'connection "Entra"').flatMap((change) => change.steps)
  return { sent: steps.map((step) => (step.kind === 'configure' ? step.clientSecret : step.kind)), impossible }
}

it.each([
  { what: 'nothing that it goes to changes', configuration: { ...entra, prompt: 'login' }, clientSecret: named, sent: [undefined] },
  { what: 'the issuer changes', configuration: moved, clientSecret: named, sent: [{ [secret]: named }] },
  {
    what: 'its document moves',
    configuration: { ...entra, discoveryUrl: 'https://x.example/d' },
    clientSecret: named,
    sent: [{ [secret]: named }],
  },
  {
    what: 'a key takes its place',
    configuration: { ...entra, clientAuthentication: 'private_key_jwt' },
    clientSecret: undefined,
    sent: [null],
  },
  { what: 'nothing of it is said', configuration: { ...entra, prompt: 'login' }, clientSecret: undefined, sent: [undefined] },
])('where $what, $sent is sent of it', ({ configuration, clientSecret, sent }) => {
  expect(planOf(configuration, clientSecret)).toEqual({ sent, impossible: [] })
})

it('a file that moves the address and names no secret is a mistake, before anything is written', () => {
  const { impossible } = planOf(moved)
  expect(impossible).toEqual([{ path: ['connections', 0, 'clientSecret'], say: expect.stringContaining('sent again') }])
})

it('where the broker keeps none there is nothing to say again', () => {
  expect(planOf(moved, undefined, aLiveConnection({ hasSecret: false }))).toEqual({ sent: [undefined], impossible: [] })
})
