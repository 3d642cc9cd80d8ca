// Test files that start whole products go first: they take longest, and at the end of a run no core waits for the last of them.
import { BaseSequencer } from 'vitest/node'

const takesLong = /\/apps\/cli\/test\/|\/tools\/layers\.test\.ts$/

export class ProductsFirst extends BaseSequencer {
  async sort(files) {
    const sorted = await super.sort(files)
    return sorted.toSorted((one, other) => Number(takesLong.test(other.moduleId)) - Number(takesLong.test(one.moduleId)))
  }
}
