/** A worker beside the broker of a front world, with its master key. */
import type { Instant } from '@drawbridge/core/instant'
import type { FrontWorld } from '@drawbridge/testkit/a-front'
import { createSigners } from '../src/signers.js'
import { jobDeps } from './a-company.js'

export function depsAtFront(world: FrontWorld, now: () => Instant) {
  const { sealer, installation } = world.broker.deps
  return {
    ...jobDeps(world.fixture),
    ...{ clock: { now }, sealer, installationId: installation.id },
    ...createSigners(sealer, installation.id),
  }
}
