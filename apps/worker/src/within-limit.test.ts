/** A job that never ends is over all the same. */
import { expect, it } from 'vitest'
import { JobOverdue, withinLimit } from './within-limit.js'

it('fails what takes longer than its limit, and leaves the rest as it is', async () => {
  await expect(withinLimit(0.01, () => new Promise(() => undefined))).rejects.toThrow(JobOverdue)
  await expect(withinLimit(10, async () => 'done')).resolves.toBe('done')
  await expect(withinLimit(10, () => Promise.reject(new Error('its own')))).rejects.toThrow('its own')
})
