/**
 * Sequences of the real clients, driven over HTTP. Each file in fixtures/sequences is a client: drop one in, and a test appears.
 *
 * A step is told in `test/scim-steps`; `subject` is what became of the person who signed in as `ada`.
 */
import { asOwner } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { aScimBroker, type Directory, type ScimBroker } from '../../test/a-directory.js'
import { filled, type Saved, type ScimStep, sequencesIn, take } from '../../test/scim-steps.js'

type Step = ScimStep & { readonly subject?: 'alive' | 'dead' | 'back' }

let broker: ScimBroker
beforeAll(async () => {
  broker = await aScimBroker()
})
afterAll(() => broker.close())

const subjects = {
  alive: { epoch: 1, deactivated: false },
  dead: { deactivated: true },
  back: { deactivated: false },
} as const

async function subjectOf({ tenant }: Directory): Promise<object | undefined> {
  const sql = "SELECT epoch, deactivated_at IS NOT NULL AS deactivated FROM subjects WHERE tenant_id = $1 AND stable_id = 'ada'"
  return (await asOwner<{ epoch: number; deactivated: boolean }>(broker.fixture.ownerUrl, sql, [tenant.tenantId]))[0]
}

describe('the sequence of', () => {
  test.each(sequencesIn<Step>(new URL('fixtures/sequences/', import.meta.url)))('%s (%s)', async (_client, _name, { steps }) => {
    const directory = await broker.aDirectory()
    const saved: Saved = {}
    for (const raw of steps) {
      const step = filled(raw, saved)
      await take(directory, step, saved)
      if (step.subject !== undefined)
        expect({ say: step.say, ...(await subjectOf(directory)) }).toMatchObject({ say: step.say, ...subjects[step.subject] })
    }
  })
})
