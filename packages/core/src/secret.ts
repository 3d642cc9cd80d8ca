import { inspect } from 'node:util'

/**
 * A value that must never reach a log, an error message or JSON.
 *
 * Everything that turns objects into text prints `[secret]`; only `reveal()` gives the value, which makes each use easy to find.
 */
export class Secret {
  readonly #value: string
  constructor(value: string) {
    this.#value = value
  }
  reveal(): string {
    return this.#value
  }
  toString(): string {
    return '[secret]'
  }
  toJSON(): string {
    return '[secret]'
  }
  [inspect.custom](): string {
    return '[secret]'
  }
}
