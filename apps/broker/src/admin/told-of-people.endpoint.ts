/** What clients and resource servers of a tenant may be told of people. It is looked at each time, so what is taken back is told no more from then on. */
import { toldOfPeopleFromJson, toldOfPeopleShape } from '@drawbridge/core/oauth/userinfo'
import { findToldOfPeople, markToldOfPeople } from '@drawbridge/store/tenants'
import { settingEndpoints } from './tenant-setting.js'

export const toldOfPeopleEndpoints = settingEndpoints({
  path: '/userinfo',
  tag: 'Clients',
  shape: toldOfPeopleShape,
  summaries: {
    read: 'Read what clients, and resource servers that ask, may be told of people',
    choose:
      'Choose what may be told of people: to clients by the scopes profile and email, which are granted from then on to who asks for them, and to resource servers that are registered to be told',
  },
  kind: 'tenant.userinfo_changed',
  find: async (db, tenant) => toldOfPeopleFromJson(await findToldOfPeople(db, tenant)),
  mark: markToldOfPeople,
})
