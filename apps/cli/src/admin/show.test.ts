import { expect, it } from 'vitest'
import { jsonText, showAnswer, showRecord, showRefused } from './show.js'

const escape = '\u001b[2J'

it('sends no terminal what somebody put into a name', () => {
  const shows = { rows: 'tenants', columns: [['name', 'name']] } as const
  const table = showAnswer({ tenants: [{ name: `a${escape}b` }, { name: '\u202Ereversed' }, { name: '\u009bm' }] }, shows)
  const record = showRecord({ name: `${escape}x`, [`${escape}`]: 1, deep: { text: `one\n${escape}two` } })
  const refusal = showRefused({ status: 409, reason: 'conflict', title: 'T', detail: escape, errors: [{ path: escape, message: escape }] })
  for (const text of [table, record, refusal]) for (const bad of ['\u001b', '\u009b', '\u202e']) expect(text).not.toContain(bad)
  expect(jsonText({ name: `${escape}\u009b\u202e` })).toBe('{\n  "name": "\\u001b[2J\\u009b\\u202e"\n}')
})

it('shows rows below their headings, and says where there are none', () => {
  const shows = {
    rows: 'things',
    columns: [
      ['name', 'name'],
      ['of', 'owner.id'],
    ],
  } as const
  expect(
    showAnswer(
      {
        things: [
          { name: 'long name', owner: { id: 1 } },
          { name: 'x', owner: null },
        ],
      },
      shows,
    ),
  ).toBe('name       of\nlong name  1\nx          –')
  expect(showAnswer({ things: [] }, shows)).toBe('none')
})

it('shows a refusal with its mistakes and what helps', () => {
  const refused = {
    status: 403,
    reason: 'permission_missing',
    title: 'Permission missing',
    detail: 'see errors',
    errors: [{ path: 'permission', message: 'revoke' }],
  }
  expect(showRefused(refused)).toBe(
    'Permission missing (403, permission_missing): see errors\n  permission: revoke\n  What helps: use a key that holds it: drawbridge admin-key issue.',
  )
})
