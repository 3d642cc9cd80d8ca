/** Every kind of resource that a directory may speak of. */

import { groupsKind } from './groups.js'
import type { ScimKind } from './resource-kind.js'
import { usersKind } from './users.js'

export const scimKinds: readonly ScimKind[] = [usersKind, groupsKind]
