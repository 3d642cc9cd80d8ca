/** Requests from as many addresses as there are requests, behind one trusted proxy: what is limited for them is not limited by address. */

let callers = 0

/** Headers of somebody who was not here before. */
export const fromAnotherAddress = () => ({ 'x-forwarded-for': `203.0.${(callers += 1) >> 8}.${callers & 255}` })

const atOnce = 50

/** Asks so often, some at once, and counts the answers by their status. */
export async function statusesOf(count: number, ask: () => Promise<Response>): Promise<ReadonlyMap<number, number>> {
  const counts = new Map<number, number>()
  for (let sent = 0; sent < count; sent += atOnce) {
    const answers = await Promise.all(Array.from({ length: Math.min(atOnce, count - sent) }, ask))
    for (const { status } of answers) counts.set(status, (counts.get(status) ?? 0) + 1)
  }
  return counts
}
