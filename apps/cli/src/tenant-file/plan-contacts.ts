/** Contacts of a file against those of a tenant. They come first: who is to be told of changes is told of the ones that follow. */
import { announcementLimits } from '@drawbridge/core/tenant/announcement'
import type { LiveContact } from './live-tenant.js'
import { type Change, type Compared, type Planned, type Step, togetherWithin } from './plan-change.js'
import type { FileContact } from './shape.js'

export function planContacts({ file: { contacts }, live, options }: Compared): Planned {
  if (contacts === undefined) return { changes: [] }
  const rows = contacts.map((contact) => planContact(contact, live.contacts))
  const surplus = live.contacts.filter(({ email }) => contacts.every((contact) => contact.email !== email))
  const left = surplus.map((each) => ({ told: `contact ${each.email}`, prune: prune(each) }))
  return togetherWithin({ most: announcementLimits.contacts, there: live.contacts.length }, rows, left, options.prune)
}

function planContact(contact: FileContact, all: readonly LiveContact[]): Planned {
  const { name, email } = contact
  const live = all.find((each) => each.email === email)
  if (live?.name === name) return { changes: [] }
  const step: Step =
    live === undefined
      ? { kind: 'call', method: 'POST', path: ['/contacts'], body: contact }
      : { kind: 'call', method: 'PUT', path: [`/contacts/${live.id}`], body: contact }
  const differences = [{ path: 'name', from: live?.name, to: name }]
  return { changes: [{ does: live === undefined ? 'create' : 'change', what: `contact ${email}`, differences, steps: [step] }] }
}

const prune = ({ id, email }: LiveContact): Change => ({
  does: 'take away',
  what: `contact ${email}`,
  differences: [],
  steps: [{ kind: 'call', method: 'DELETE', path: [`/contacts/${id}`] }],
})
