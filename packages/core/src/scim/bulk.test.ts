import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { orderBulk, parseBulk, resolveBulk } from './bulk.js'
import { scimLimits } from './error.js'

const post = (bulkId: string, data: object = {}) => ({ method: 'POST', path: '/Users', bulkId, data })
const parsed = (Operations: unknown, rest: object = {}) => parseBulk({ schemas: [], Operations, ...rest })

describe('a bulk request', () => {
  test.each<[unknown, object, string]>([
    [undefined, {}, 'scim_body_malformed'],
    [[7], {}, 'scim_body_malformed'],
    [[{ method: 'GET', path: '/Users/1' }], {}, 'scim_body_malformed'],
    [[{ method: 'POST', path: '/Users', data: {} }], {}, 'scim_body_malformed'],
    [[{ method: 'DELETE' }], {}, 'scim_body_malformed'],
    [[post('a'), post('a')], {}, 'scim_body_malformed'],
    [[post('a')], { failOnErrors: 0 }, 'scim_value_invalid'],
    [[post('a')], { failOnErrors: '1' }, 'scim_value_invalid'],
    [Array.from({ length: scimLimits.bulkOperations + 1 }, () => ({ method: 'DELETE', path: '/Users/1' })), {}, 'scim_bulk_too_large'],
  ])('%# is refused', (operations, rest, reason) => expect(parsed(operations, rest)).toMatchObject({ ok: false, error: { reason } }))

  test('keeps its order, but whoever is named is made first', () => {
    const request = parsed([
      { method: 'PATCH', path: '/Groups/bulkId:g', data: { Operations: [{ op: 'add', path: 'members', value: [{ value: 'bulkId:u' }] }] } },
      { method: 'delete', path: '/Users/1' },
      { method: 'POST', path: '/Groups', bulkId: 'g', data: { displayName: 'G' } },
      post('u'),
      post('x', { manager: 'bulkId:y' }),
      post('y', { manager: 'bulkId:x' }),
      { method: 'DELETE', path: '/Users/2' },
    ])
    const { order, circular } = orderBulk(request.ok ? request.value.operations : [])
    expect([order, [...circular]]).toEqual([
      [1, 2, 3, 0, 6],
      [4, 5],
    ])
  })

  test('does each operation once, circles aside, after all that it names', () => {
    const needs = fc.array(fc.array(fc.nat(7), { maxLength: 3 }), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(needs, (lists) => {
        const operations = lists.map((list, at) => post(String(at), { names: list.map((name) => `bulkId:${name}`) }))
        const request = parsed(operations)
        if (!request.ok) throw new Error(request.error.reason)
        const { order, circular } = orderBulk(request.value.operations)
        expect([...order, ...circular].sort((one, other) => one - other)).toEqual(operations.map((_, at) => at))
        for (const at of order)
          for (const name of lists[at] ?? []) if (name < lists.length) expect(order.slice(0, order.indexOf(at))).toContain(name)
      }),
    )
  })

  test('references are replaced in the path and anywhere in the data, and only whole texts are', () => {
    const operation = {
      method: 'PUT',
      bulkId: undefined,
      version: undefined,
      path: '/Groups/bulkId:g',
      data: { members: [{ value: 'bulkId:u', display: 'see bulkId:u' }] },
    } as const
    const ids: Record<string, string> = { g: '1', u: '2' }
    expect(resolveBulk(operation, (name) => ids[name])).toMatchObject({
      path: '/Groups/1',
      data: { members: [{ value: '2', display: 'see bulkId:u' }] },
    })
    expect(resolveBulk(operation, (name) => (name === 'g' ? '1' : undefined))).toBeUndefined()
  })
})
