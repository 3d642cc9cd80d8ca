/** Runs every folder of examples/policies: drop one in, and a test appears. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { parse } from 'yaml'
import { z } from 'zod'
import type { NormalizedIdentity } from '../identity/normalized-identity.js'
import { addSeconds, instant } from '../instant.js'
import { compilePolicy } from './compile.js'
import { decide, type PolicyInput } from './decide.js'
import { sensitivityTiers } from './decision.js'

const folder = join(process.cwd(), 'examples/policies')

const caseSchema = z.strictObject({
  name: z.string(),
  at: z.string().default('2026-11-23T10:00:00Z'),
  groups: z.union([z.array(z.string()), z.literal('unknown'), z.literal('absent')]).default([]),
  claims: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.string())])).default({}),
  acr: z.string().optional(),
  amr: z.array(z.string()).default(['pwd']),
  authenticatedSecondsAgo: z.number().default(0),
  client: z
    .strictObject({
      id: z.string().default('agent'),
      host: z.string().optional(),
      kind: z.enum(['metadata_document', 'dynamic', 'preregistered']).default('metadata_document'),
    })
    .prefault({}),
  request: z.array(z.string()).default([]),
  stepUpsDone: z.number().default(0),
  expect: z.strictObject({
    granted: z.array(z.string()).optional(),
    stepUp: z.literal(true).optional(),
    denied: z.string().optional(),
    accessTokenSeconds: z.number().optional(),
  }),
})
const fileSchema = z.strictObject({
  resource: z.string(),
  scopes: z.record(z.string(), z.enum(sensitivityTiers)),
  cases: z.array(caseSchema).min(1),
})
type Case = z.infer<typeof caseSchema>

function inputOf(file: z.infer<typeof fileSchema>, given: Case): PolicyInput {
  const now = instant(Date.parse(given.at))
  return {
    identity: {
      connectionId: 'connection',
      stableId: 'person',
      subjectId: undefined,
      claims: new Map(Object.entries(given.claims)),
      groups: typeof given.groups === 'string' ? { state: given.groups } : { state: 'known', value: given.groups },
      authentication: { acr: given.acr, amr: given.amr, authenticatedAt: addSeconds(now, -given.authenticatedSecondsAgo) },
      sessionExpiresAt: undefined,
      idpSession: { sessionIndex: undefined, nameId: undefined, sid: undefined },
    } as unknown as NormalizedIdentity,
    client: { ...given.client, scopeCeiling: [], accessTokenTtlSeconds: undefined } as unknown as PolicyInput['client'],
    resource: {
      identifier: file.resource,
      scopes: Object.entries(file.scopes).map(([name, tier]) => ({ name, tier, description: name, isDefault: false })),
      accessTokenTtlSeconds: undefined,
    } as unknown as PolicyInput['resource'],
    request: {
      scopes: (given.request.length > 0 ? given.request : Object.keys(file.scopes)) as unknown as PolicyInput['request']['scopes'],
      stepUpsDone: given.stepUpsDone,
    },
    session: { startedAt: now },
    now,
  }
}

describe.each(readdirSync(folder))('examples/policies/%s', (name) => {
  const compiled = compilePolicy(readFileSync(join(folder, name, 'policy.yaml'), 'utf8'))
  const file = fileSchema.parse(parse(readFileSync(join(folder, name, 'cases.yaml'), 'utf8')))

  test('compiles', () => {
    expect(compiled).toMatchObject({ ok: true })
  })

  test.each(file.cases)('$name', (given) => {
    if (!compiled.ok) throw new Error('does not compile')
    const decision = decide(compiled.value, inputOf(file, given))
    const { granted, stepUp, denied, accessTokenSeconds } = given.expect
    if (granted !== undefined) expect(decision).toMatchObject({ kind: 'allow', scopes: granted })
    if (stepUp) expect(decision.kind).toBe('stepUp')
    if (denied !== undefined) expect(decision).toMatchObject({ kind: 'deny', reason: denied })
    if (accessTokenSeconds !== undefined) expect(decision).toMatchObject({ accessTokenTtl: { seconds: accessTokenSeconds } })
  })
})
