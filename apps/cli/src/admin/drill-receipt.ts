/** What the receipt of a drill shows: who has heard of it, and who is only waited for no longer. */
import { z } from 'zod'

export const receiptShape = z.object({
  targetId: z.string(),
  receivedAt: z.iso.datetime(),
  deadAt: z.string().nullable(),
  /** How many had to hear of it, and have said that they did: of all resource servers, while `receivers` lists those of the drilled one. */
  due: z.int(),
  acknowledged: z.int(),
  receivers: z.array(z.object({ resource: z.string(), instance: z.string(), acknowledgedAt: z.string().nullable() })).nullable(),
})
export type Receipt = z.infer<typeof receiptShape>

/** In the words of a step. Who lapsed refuses by its own setting: that it has heard is not said of it. */
export function heardOf(receipt: Receipt | undefined): string {
  if (receipt === undefined) return 'There is no receipt of it'
  const { deadAt, due, acknowledged } = receipt
  if (deadAt === null) return due === 0 ? 'Nobody has been told of it yet' : `Not every guard has acknowledged (${acknowledged} of ${due})`
  if (due === 0) return 'Nobody had to hear of it'
  return acknowledged === due
    ? `Every guard has acknowledged (${due}): dead everywhere`
    : `Every guard has acknowledged (${acknowledged}) or is waited for no longer (${due - acknowledged}): dead everywhere`
}

/** Whether a guard of this resource server has said that it heard. Who has is listed first, however many there are. */
export const isHeardBy = (resource: string, receipt: Receipt | undefined): boolean =>
  receipt?.receivers?.some((one) => one.resource === resource && one.acknowledgedAt !== null) ?? false

/** By which filters the receipt is found again, whatever else has ended in the tenant since. */
export function momentOf({ receivedAt }: Receipt): { readonly since: string; readonly until: string } {
  return { since: receivedAt, until: new Date(Date.parse(receivedAt) + 1).toISOString() }
}
