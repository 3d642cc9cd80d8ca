/** How the admin API tells why a login failed: of a trace, and of a test. */
import { z } from 'zod'

export const compared = z.strictObject({ what: z.string(), expected: z.string(), received: z.array(z.string()) })

export const explanation = z.strictObject({
  cause: z.string(),
  remedy: z.string(),
  vendor: z
    .strictObject({ name: z.string(), remedy: z.string().nullable().describe('What to change in the console of this vendor') })
    .nullable(),
  guide: z.string().describe('Page of the documentation, with its section'),
})
