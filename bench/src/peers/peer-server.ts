/** A peer as a process of its own, on a database of its own in the same PostgreSQL. Its program prints one line of JSON when it listens. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { asOwner } from '@drawbridge/testkit/database'
import type { Laboratory } from '../laboratory.js'
import { stopChild } from '../server-process.js'

export type PeerPlace = { readonly port: number; readonly databaseUrl: string; readonly url: string }
export type PeerServer<Ready> = PeerPlace & { readonly pid: number; readonly ready: Ready; stop(): Promise<void> }
/** `says`: whether its own warnings are shown. */
export type PeerProgram = { readonly database: string; readonly program: string; readonly says: boolean }

export async function startPeer<Ready>(
  { fixture }: Laboratory,
  { database, program, says }: PeerProgram,
  settingOf: (place: PeerPlace) => object,
): Promise<PeerServer<Ready>> {
  await asOwner(fixture.ownerUrl, `CREATE DATABASE ${database}`)
  const databaseUrl = new URL(fixture.ownerUrl)
  databaseUrl.pathname = `/${database}`
  const port = await freePort()
  const place = { port, databaseUrl: databaseUrl.href, url: `http://127.0.0.1:${port}` }
  const file = fileURLToPath(new URL(program, import.meta.url))
  const child = spawn(process.execPath, [file, JSON.stringify(settingOf(place))], {
    stdio: ['ignore', 'pipe', says ? 'inherit' : 'ignore'],
  })
  const ready = await new Promise<Ready>((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => line.startsWith('{') && resolve(JSON.parse(line) as Ready))
    child.once('exit', (code) => reject(new Error(`${program} ended with ${code} before it listened`)))
  })
  return { ...place, pid: child.pid as number, ready, stop: () => stopChild(child) }
}
