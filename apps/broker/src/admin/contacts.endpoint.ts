/** Whom a tenant wants told. Whoever can silence the contacts can act unseen: `impersonate`, and told to those who are there. */
import { isPlainAddress, parseEmailAddress } from '@drawbridge/core/identity/email-address'
import { announcementLimits, oneLine } from '@drawbridge/core/tenant/announcement'
import { announce, mayAnnounceTo } from '@drawbridge/store/announcements'
import { type Contact, deleteContact, insertContact, listContacts, lockContact, updateContact } from '@drawbridge/store/contacts'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { empty, json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { actOf, adminEndpoint, audit, idParam } from './admin-endpoint.js'
import { adminList, momentPosition } from './admin-list.js'
import { refuseAdmin } from './refuse-admin.js'
import { id as idShape, time, toIso } from './shapes.js'

const tag = 'Contacts'
/** In lower case, and one address to whoever reads it. */
const plainAddressOf = (text: string): string | undefined => (isPlainAddress(text) ? parseEmailAddress(text)?.key : undefined)

const contactBody = z.strictObject({
  name: z.string().trim().min(1).max(announcementLimits.nameCharacters),
  email: z
    .string()
    .trim()
    .max(320)
    .refine((text) => plainAddressOf(text) !== undefined, 'this is no plain e-mail address')
    .describe('Where announcements go; compared without case'),
})
const shownContact = z.strictObject({ id: idShape, name: z.string(), email: z.string(), createdAt: time })
const showContact = (contact: Contact): z.output<typeof shownContact> => ({ ...contact, createdAt: toIso(contact.createdAt) })

const list = adminList({
  path: '/tenants/:tenant/contacts',
  tag,
  summary: 'List the people who are told when somebody changes how the tenant’s people sign in, oldest first',
  permission: 'configuration:read',
  member: 'contacts',
  shown: shownContact,
  position: ['after', 'moment'],
  read: (http, deps, page) => inTenant(deps.database, tenantOf(http).id, (db) => listContacts(db, tenantOf(http).id, page)),
  show: showContact,
  positionOf: ({ createdAt, id }) => momentPosition(createdAt, id),
})

const given = ({ name, email }: z.output<typeof contactBody>) => ({ name: oneLine(name), email: plainAddressOf(email) ?? email })

const add = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/contacts',
  tag,
  summary: 'Tell somebody from now on when how the tenant’s people sign in is changed; she and the others are told of that',
  permission: 'impersonate',
  body: contactBody,
  status: 201,
  answer: shownContact,
  refuses: ['contacts_full', 'contacts_changed_often', 'conflict'],
  run: async (http, deps) => {
    const { id: tenant } = tenantOf(http)
    const { name, email } = given(http.parsed)
    const contact = { id: deps.random.uuid(), name, email, now: deps.clock.now() }
    const added = await inTenant(deps.database, tenant, async (db) => {
      if (!(await mayAnnounceTo(db, tenant, email, contact.now))) return 'often'
      const inserted = await insertContact(db, tenant, contact)
      if (inserted) await audit(db, tenant, http, deps, { kind: 'contact.added', detail: { contact: contact.id, name, email } })
      return inserted
    })
    if (added === 'often') return refuseAdmin('contacts_changed_often')
    return added ? json(showContact(added), { status: 201 }) : refuseAdmin('contacts_full')
  },
})

const change = adminEndpoint({
  method: 'PUT',
  path: '/tenants/:tenant/contacts/:id',
  tag,
  summary: 'Change the name or the address of a contact, who is told at both addresses',
  permission: 'impersonate',
  body: contactBody,
  answer: shownContact,
  refuses: ['not_found', 'contacts_changed_often', 'conflict'],
  run: async (http, deps) => {
    const { id: tenant } = tenantOf(http)
    const id = idParam(http)
    const { name, email } = given(http.parsed)
    const changed = await inTenant(deps.database, tenant, async (db) => {
      const before = id === undefined ? undefined : await lockContact(db, tenant, id)
      if (!before) return undefined
      if (email !== before.email && !(await mayAnnounceTo(db, tenant, email, deps.clock.now()))) return 'often'
      const event = { kind: 'contact.changed' as const, detail: { contact: before.id, name: before.name, from: before.email, to: email } }
      await audit(db, tenant, http, deps, event)
      await updateContact(db, tenant, { id: before.id, name, email })
      if (email !== before.email) await announce(db, tenant, actOf(http, event, deps.clock.now()), { only: email })
      return { ...before, name, email }
    })
    if (changed === 'often') return refuseAdmin('contacts_changed_often')
    return changed ? json(showContact(changed)) : refuseAdmin('not_found')
  },
})

const remove = adminEndpoint({
  method: 'DELETE',
  path: '/tenants/:tenant/contacts/:id',
  tag,
  summary: 'Tell a contact no more; she and the others are told of that',
  permission: 'impersonate',
  refuses: ['not_found'],
  run: async (http, deps) => {
    const { id: tenant } = tenantOf(http)
    const id = idParam(http)
    const removed = await inTenant(deps.database, tenant, async (db) => {
      const contact = id === undefined ? undefined : await lockContact(db, tenant, id)
      if (!contact) return false
      await audit(db, tenant, http, deps, {
        kind: 'contact.removed',
        detail: { contact: contact.id, name: contact.name, email: contact.email },
      })
      await deleteContact(db, tenant, contact.id)
      return true
    })
    return removed ? empty() : refuseAdmin('not_found')
  },
})

export const contactEndpoints = [list, add, change, remove]
