/** The attributes of groups. RFC 7643 §4.2. */
import { attribute } from './attribute.js'
import type { Schema } from './schema.js'

export const groupSchema = 'urn:ietf:params:scim:schemas:core:2.0:Group'

export const group: Schema = {
  id: groupSchema,
  name: 'Group',
  description: 'A group of the directory',
  attributes: [
    attribute('displayName', 'The name of the group', { required: true, mostCharacters: 512, binding: true }),
    attribute('members', 'Who belongs to the group', {
      multiValued: true,
      mostValues: 100_000,
      binding: true,
      subAttributes: [
        attribute('value', 'The id of the member', { caseExact: true, mutability: 'immutable' }),
        attribute('$ref', 'The address of the member', {
          type: 'reference',
          referenceTypes: ['User', 'Group'],
          caseExact: true,
          mutability: 'immutable',
        }),
        attribute('type', 'What the member is', { mutability: 'immutable', canonicalValues: ['User', 'Group'] }),
        attribute('display', 'The name of the member', { mutability: 'immutable' }),
      ],
    }),
  ],
}
