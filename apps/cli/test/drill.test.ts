/** `drawbridge drill` against the whole product: real tokens, a real directory's request, a guarded MCP server that is asked itself. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run } from './a-process.js'
import { aProduct, type Product } from './a-product.js'

let product: Product
let environment: Record<string, string>
const acme: { connection: string; resource: string } = { connection: '', resource: '' }

beforeAll(async () => {
  product = await aProduct()
  environment = { DRAWBRIDGE_ADMIN_URL: product.publicUrl, DRAWBRIDGE_ADMIN_KEY: product.started.demonstration.adminKey }
  const { connections } = (await product.admin('GET', '/tenants/acme/connections')).json as { connections: { id: string }[] }
  acme.connection = connections[0]?.id ?? ''
  acme.resource = product.mcpUrl
}, 120_000)
afterAll(() => product?.stop(), 60_000)

type Shown = {
  readonly isDead: boolean
  readonly subjectId: string
  readonly steps: readonly { readonly what: string; readonly milliseconds: number | null }[]
  readonly receivers: readonly { readonly acknowledgedAt: string | null }[]
}
const drillOf = (resource: string, ...flags: string[]) => run(['drill', 'acme', acme.connection, resource, ...flags], environment)
const drill = (...flags: string[]) => drillOf(acme.resource, ...flags)
const drilled = async (...flags: string[]): Promise<Shown> => JSON.parse((await drill('--json', ...flags)).output)
const tokens = async () => {
  const { scimTokens } = (await product.admin('GET', '/tenants/acme/scim-tokens')).json as {
    scimTokens: { name: string; revokedAt: unknown }[]
  }
  return scimTokens.filter(({ revokedAt }) => revokedAt === null).map(({ name }) => name)
}

describe.each(['scim', 'admin'])('a drill by %s', (by) => {
  it('ends with the token refused by the MCP server, by every guard, and nothing left of what was made for it', async () => {
    const before = await tokens()
    const shown = await drilled('--by', by, '--probe', product.mcpUrl)
    expect(shown.isDead).toBe(true)
    expect(shown.steps.map(({ what }) => what)).toEqual([
      'The answer: from here on nothing of hers is accepted or issued',
      'Her refresh token is refused',
      `${product.mcpUrl} refuses her token`,
      'Every guard has acknowledged (1): dead everywhere',
    ])
    expect(shown.steps.every(({ milliseconds }) => Number.isInteger(milliseconds))).toBe(true)
    expect(shown.receivers).toEqual([expect.objectContaining({ acknowledgedAt: expect.any(String) })])
    expect(await tokens()).toEqual(before)
    const { scimUsers } = (await product.admin('GET', '/tenants/acme/scim-users')).json as {
      scimUsers: { userName: string; deletedAt: unknown }[]
    }
    expect(scimUsers.filter(({ userName, deletedAt }) => userName.endsWith('@drill.invalid') && deletedAt === null)).toEqual([])
  }, 60_000)
})

it('people read it as a table', async () => {
  const { code, output } = await drill()
  expect(code).toBe(0)
  expect(output).toMatch(/^what +ms\nThe answer: .* \d+\n/)
}, 60_000)

const unguarded = 'https://unguarded.example/mcp'

it('fails where no guard of the resource listens, though another’s has acknowledged and nobody else is waited for', async () => {
  const made = await product.admin('POST', '/shared-resources', {
    ...{ identifier: unguarded, name: 'Unguarded', scopes: [{ name: 'read', description: 'Read', tier: 'read' }] },
  })
  expect(made.status).toBe(201)
  expect((await product.admin('POST', `/tenants/acme/shared-resources/${String(made.json['id'])}`)).status).toBeLessThan(300)
  const { code, output } = await drillOf(unguarded, '--json')
  const { isDead, receivers, steps } = JSON.parse(output) as Shown
  expect({ isDead, receivers, last: steps.at(-1)?.what }).toEqual({
    ...{ isDead: false, receivers: [], last: 'Every guard has acknowledged (1): dead everywhere' },
  })
  expect(code).toBe(1)
  expect((await drillOf(unguarded)).output).toContain(`NOT dead at ${unguarded}: no guard of this resource listens`)
}, 60_000)

it('fails where nobody listens at all: nobody has to hear of it, and her access token is believed until it ends', async () => {
  await product.started.parts.find(({ name }) => name === 'example MCP server')?.stop()
  const { code, output } = await drill('--json')
  expect(JSON.parse(output)).toMatchObject({ isDead: false, receivers: [] })
  expect(code).toBe(1)
  expect((await drill()).output).toContain(`NOT dead at ${product.mcpUrl}: no guard of this resource listens`)
}, 60_000)

it('fails, and says so, where a guard does not answer in time', async () => {
  const { status, json } = await product.admin('GET', '/shared-resources')
  expect(status).toBe(200)
  const { resources } = json as { resources: { id: string }[] }
  const credential = (await product.admin('POST', `/shared-resources/${resources[0]?.id}/credentials`, {})).json as {
    id: string
    secret: string
  }
  const basic = Buffer.from(`${credential.id}:${credential.secret}`).toString('base64')
  const opened = await fetch(`${product.issuer('acme')}/ssf/streams`, {
    method: 'POST',
    headers: { authorization: `Basic ${basic}`, 'content-type': 'application/json' },
    body: JSON.stringify({ instance: 'one that never listens' }),
  })
  expect(opened.status).toBe(201)
  const { code, output } = await drill('--json', '--within', '1')
  expect(code).toBe(1)
  expect(JSON.parse(output)).toMatchObject({
    isDead: false,
    receivers: expect.arrayContaining([expect.objectContaining({ acknowledgedAt: null })]),
  })
}, 60_000)

it('begins no directory where there is none, and says how else', async () => {
  const { json } = await product.admin('POST', '/tenants/acme/connections', {
    ...{ kind: 'oidc', name: 'No directory' },
    configuration: { issuer: 'https://idp.example', clientId: 'x' },
    clientSecret: 'x',
  })
  const refused = await run(['drill', 'acme', String(json['id']), acme.resource], environment)
  expect(refused.code).not.toBe(0)
  expect(refused.output).toContain('--by admin')
}, 60_000)
