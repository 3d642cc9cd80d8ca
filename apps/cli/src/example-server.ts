/** The example MCP server beside us. */
import type { Demonstration } from './demonstration-file.js'
import type { Platform } from './platform.js'

export type RunningExample = { readonly url: string; close(): Promise<void> }

export async function startExampleServer(_platform: Platform, _demonstration: Demonstration): Promise<RunningExample | undefined> {
  return undefined
}
