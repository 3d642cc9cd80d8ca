/**
 * What the demonstration must know again after a restart: tokens that the product itself keeps only as hashes, handed to the simulator
 * and the example server. Demo and lab only; mode 0600, beside the database.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { z } from 'zod'

const schema = z.object({
  /** Written before the database is: what a start that was killed had begun, and the next one completes under the same credentials. */
  unfinished: z.literal(true).optional(),
  adminKey: z.string(),
  resourceCredential: z.object({ id: z.string(), secret: z.string() }),
  tenants: z.array(z.object({ slug: z.enum(['acme', 'globex']), tenantId: z.string(), connectionId: z.string(), scimToken: z.string() })),
})

export type Demonstration = z.infer<typeof schema>

export function readDemonstration(file: string): Demonstration | undefined {
  return existsSync(file) ? schema.parse(JSON.parse(readFileSync(file, 'utf8'))) : undefined
}

export function writeDemonstration(file: string, demonstration: Demonstration): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(demonstration, null, 2)}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}
