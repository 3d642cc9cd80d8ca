/**
 * Runs the policy's tests for Stryker (docs/mutation-testing.md): vitest's words, without a process of its own for every change.
 *
 * A file is compiled once and evaluated anew for each change, so whatever a change does when a module is loaded is seen, and nothing that
 * one change left behind reaches the next. The tests run until one fails: first those beside the changed file, then the quickest.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { compileFunction } from 'node:vm'
import { transformSync } from '@swc/core'
import { expect } from 'expect'

const folder = 'packages/core/src/policy'
const swc = { jsc: { parser: { syntax: 'typescript' }, target: 'es2023' }, module: { type: 'commonjs' } }
const stryker = (globalThis.__stryker__ ??= {})

/** A file as a function of its imports. Stryker changes files before this process starts and never after, so one compilation will do. */
const compiled = new Map()
function compile(path) {
  const known = compiled.get(path)
  if (known) return known
  const { code } = transformSync(readFileSync(path, 'utf8'), { ...swc, filename: path })
  const made = { evaluate: compileFunction(code, ['exports', 'require'], { filename: path }), require: createRequire(path) }
  compiled.set(path, made)
  return made
}

/** What gives the tests of a file. Everything of ours that they import is evaluated anew, once; libraries stay. */
function freshWorld() {
  const modules = new Map()
  const load = (path, tests) => {
    if (modules.has(path)) return modules.get(path)
    const exports = {}
    modules.set(path, exports)
    const { evaluate, require } = compile(path)
    evaluate(exports, (name) => {
      if (name === 'vitest') return { expect, ...wordsOf(path, tests) }
      return name.startsWith('.') ? load(resolve(dirname(path), name.replace(/\.js$/, '.ts')), tests) : require(name)
    })
    return exports
  }
  return (path) => {
    const tests = []
    load(path, tests)
    return tests
  }
}

/** `describe` and `test` of one file, with `each`: they note what is to be run. */
function wordsOf(fileName, tests) {
  let above = []
  const describe = (name, body) => {
    const outside = above
    above = [...above, name]
    body()
    above = outside
  }
  const test = (name, run) => {
    const id = [...above, name].join(' › ')
    tests.push({ id: `${fileName} › ${id}`, name: id, fileName, run })
  }
  const each = (word) => (table) => (name, body) => {
    for (const [index, row] of table.entries()) {
      const given = Array.isArray(row) ? row : [row]
      word(`${name} [${index}]`, () => body(...given))
    }
  }
  return { describe: Object.assign(describe, { each: each(describe) }), test: Object.assign(test, { each: each(test) }) }
}

/** What this process took of the processor: the clock on the wall says little on a busy machine. */
const processorMilliseconds = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

// Stryker's numbers.
const passed = 0
const failed = 1

function run({ id, name, fileName, run: body }) {
  const began = processorMilliseconds()
  const result = (rest) => ({ id, name, fileName, timeSpentMs: processorMilliseconds() - began, ...rest })
  stryker.currentTestId = id
  try {
    if (body() instanceof Promise) throw new Error('a test of the policy that is not synchronous')
    return result({ status: passed })
  } catch (error) {
    return result({ status: failed, failureMessage: String(error?.stack ?? error) })
  } finally {
    stryker.currentTestId = undefined
  }
}

/** Files of tests: what each took when nothing was changed, and each test in it. The first process tells the others. */
const known = new Map()
const costsFile = 'test-costs.json'
function readCosts() {
  for (const [path, { cost, tests }] of JSON.parse(readFileSync(costsFile, 'utf8'))) known.set(path, { cost, tests: new Map(tests) })
}

const runner = {
  capabilities: () => ({ reloadEnvironment: true }),

  init() {
    // The same few examples every time, and no search for the smallest that fails.
    const { configureGlobal } = createRequire(join(process.cwd(), folder, 'x'))('fast-check')
    configureGlobal({ seed: 1, numRuns: 10, endOnFailure: true })
  },

  dryRun() {
    Object.assign(stryker, { activeMutant: undefined, hitCount: undefined, mutantCoverage: { static: {}, perTest: {} } })
    const testsOf = freshWorld()
    const results = []
    for (const name of readdirSync(folder).filter((file) => file.endsWith('.test.ts'))) {
      const path = join(process.cwd(), folder, name)
      const began = processorMilliseconds()
      const ran = testsOf(path).map(run)
      known.set(path, { cost: processorMilliseconds() - began, tests: new Map(ran.map(({ id, timeSpentMs }) => [id, timeSpentMs])) })
      results.push(...ran)
    }
    writeFileSync(costsFile, JSON.stringify([...known].map(([path, { cost, tests }]) => [path, { cost, tests: [...tests] }])))
    return { status: 'complete', tests: results, mutantCoverage: stryker.mutantCoverage }
  },

  /** `testFilter` absent: the change acts when modules are loaded, so every test could notice it. */
  mutantRun({ activeMutant, mutantActivation, sandboxFileName, testFilter, hitLimit }) {
    const wanted = testFilter && new Set(testFilter)
    const isWanted = (id) => wanted === undefined || wanted.has(id)
    const atLoading = mutantActivation === 'static' ? activeMutant.id : undefined
    const testsOf = freshWorld()
    let nrOfTests = 0
    Object.assign(stryker, { hitCount: hitLimit && 0, hitLimit })
    const killed = (by, failureMessage) => ({ status: 'killed', killedBy: [by], failureMessage, nrOfTests })
    if (known.size === 0) readCosts()
    for (const [path, { tests: costs }] of filesInOrder(sandboxFileName)) {
      const [anyTest] = [...costs.keys()].filter(isWanted)
      if (anyTest === undefined) continue
      stryker.activeMutant = atLoading
      let tests
      try {
        tests = testsOf(path).filter(({ id }) => isWanted(id))
      } catch (error) {
        if (atLoading === undefined) throw error
        return killed(anyTest, `cannot be loaded: ${error?.stack ?? error}`)
      }
      stryker.activeMutant = activeMutant.id
      for (const test of tests.toSorted((one, other) => (costs.get(one.id) ?? 0) - (costs.get(other.id) ?? 0))) {
        nrOfTests += 1
        const { status, failureMessage } = run(test)
        if (status === failed) return killed(test.id, failureMessage)
      }
    }
    if (nrOfTests === 0) throw new Error('no test was run, so nothing is known of this change')
    return { status: 'survived', nrOfTests }
  },
}

/** First the tests that stand beside the changed file, then the quickest. */
function filesInOrder(changed) {
  const beside = changed.replace(/\.ts$/, '.test.ts')
  const orderOf = ([path, { cost }]) => (path === beside ? 0 : cost)
  return [...known].toSorted((one, other) => orderOf(one) - orderOf(other))
}

export const strykerPlugins = [{ kind: 'TestRunner', name: 'loaded', factory: Object.assign(() => runner, { inject: [] }) }]
