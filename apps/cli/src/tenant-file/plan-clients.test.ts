/** A file declares no new client whose `client_id` a person could be known by. */
import { expect, it } from 'vitest'
import { aLiveClient, aLiveTenant } from '../../test/a-living-tenant.js'
import { declareTenant } from './declare-tenant.js'
import { planTenant } from './plan.js'
import { tenantShape } from './shape.js'

const uuid = '3F0C5D1E-8A57-4F44-9D0B-2F2D7E1C9A10'
const living = aLiveTenant({ clients: [aLiveClient({ clientId: uuid })] })
const file = tenantShape.parse(declareTenant(living))
const plan = (live: typeof living) =>
  planTenant(file, { policy: undefined, cases: undefined }, live, { prune: false, secrets: false, vendorResources: [] })

it('a new client that is called so is a mistake with its place', () => {
  const at = { path: ['clients', 0, 'clientId'], say: expect.stringContaining('person’s `sub`') }
  expect(plan(aLiveTenant({ clients: [] })).impossible).toContainEqual(at)
})

it('one that is there already is left as it is', () => {
  const { impossible, changes } = plan(living)
  expect(impossible.filter(({ path }) => path[0] === 'clients')).toEqual([])
  expect(changes.filter(({ what }) => what.includes(uuid))).toEqual([])
})
