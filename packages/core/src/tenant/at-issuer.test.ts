/** Where what an admin wrote holds: at the front only where it says so, and at the front itself, before a tenant is known, never. */
import { expect, it } from 'vitest'
import { type HeldAt, holdsAt, permissionsAt } from './at-issuer.js'

it.each<{ at: HeldAt | undefined; own: boolean; front: boolean }>([
  { at: undefined, own: true, front: false },
  { at: 'own', own: true, front: false },
  { at: 'front', own: false, front: true },
  { at: 'both', own: true, front: true },
])('what says $at holds at the own issuer=$own, at the front=$front', ({ at, own, front }) => {
  expect([holdsAt('tenant', at), holdsAt('front_member', at), holdsAt('front', at)]).toEqual([own, front, false])
})

it('of permissions those are kept that hold at the issuer', () => {
  const own: { readonly client: string; readonly at?: HeldAt } = { client: 'a' }
  const front: typeof own = { client: 'a', at: 'front' }
  const all = { permissions: [own, front] }
  expect(permissionsAt('tenant', all)).toEqual({ permissions: [own] })
  expect(permissionsAt('front_member', all)).toEqual({ permissions: [front] })
  expect(permissionsAt('front', all)).toEqual({ permissions: [] })
})
