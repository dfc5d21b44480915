// SPDX-License-Identifier: LGPL-2.1-or-later
// usage: node run.mjs FILE STORY       runs a function that FILE exports; prints "done" if it came to its end
//
// A warning of a library counts as a failure unless the story expects it (host.mjs).
import assert from 'node:assert/strict'
import { inspect } from 'node:util'

import { expected } from './host.mjs'

const [file, story] = process.argv.slice(2)
const warnings = []
console.warn = (...words) => warnings.push(words.map(word => (typeof word === 'string' ? word : inspect(word))).join(' '))

await (await import(file))[story]()
assert.deepEqual(
  warnings.filter(text => !expected.some(pattern => pattern.test(text))),
  [],
  'a library warned'
)
process.stdout.write('done\n', () => process.exit(0))
