/**
 * CPU time and memory of a process and everything below it, read from /proc: Linux only, and said so.
 *
 * CPU is utime + stime of the living plus what they inherited from children that ended, so a connection that PostgreSQL closes in the
 * middle of a round is not lost. Its grain is one tick (10 ms): a round must cost many.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'

const ticksPerSecond = 100
const bytesPerKibibyte = 1024

type Stat = { readonly pid: number; readonly parent: number; readonly cpuMs: number }

/** Field numbers are those of proc(5); the name in parentheses may hold spaces, so reading starts behind it. */
function readStat(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const field = (number: number): number => Number(fields[number - 3])
    const ticks = field(14) + field(15) + field(16) + field(17)
    return { pid, parent: field(4), cpuMs: (ticks * 1000) / ticksPerSecond }
  } catch {
    return undefined // it has ended meanwhile
  }
}

function treeOf(root: number): readonly Stat[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readStat(Number(name)))
    .filter((stat) => stat !== undefined)
  const tree = all.filter(({ pid }) => pid === root)
  for (const found of tree) tree.push(...all.filter(({ parent }) => parent === found.pid))
  return tree
}

export const cpuMsOf = (root: number): number => treeOf(root).reduce((sum, { cpuMs }) => sum + cpuMs, 0)

/** One process alone: what `ps` calls RSS. */
export function residentBytesOf(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))
  return Number(match?.[1] ?? 0) * bytesPerKibibyte
}

/** A whole tree. Shared pages (PostgreSQL's buffers) are divided among their users (PSS), or they would count once per process. */
export const proportionalBytesOf = (root: number): number => treeOf(root).reduce((sum, { pid }) => sum + proportionalBytesOfOne(pid), 0)

function proportionalBytesOfOne(pid: number): number {
  try {
    const match = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))
    return Number(match?.[1] ?? 0) * bytesPerKibibyte
  } catch {
    return 0 // it has ended meanwhile
  }
}

/** The first process below `root` whose command matches. */
export function findBelow(root: number, command: RegExp): number | undefined {
  return treeOf(root).find(({ pid }) => command.test(commandOf(pid)))?.pid
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}

export function requireProc(): void {
  if (!existsSync('/proc/self/stat')) throw new Error('the bench reads CPU time from /proc, which this system has not: run it on Linux')
}
