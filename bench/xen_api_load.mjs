// SPDX-License-Identifier: LGPL-2.1-or-later
// How long npm's `xen-api` takes from nothing to a cache of all objects, and how long this process takes to read and
// parse the same bytes from a file server.
//
//   node xen_api_load.mjs '{"url", "user", "password", "socketPath", "path", "rounds"}'
//
// Prints one line of name=value: seconds of each round, the first left out.
import { once } from 'node:events'
import { get } from 'node:http'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

// Where `tests/clients/install` puts it.
const require = createRequire(new URL('../tests/clients/', import.meta.url))
const { Xapi } = await import(pathToFileURL(require.resolve('xen-api')))

const { url, user, password, socketPath, path, rounds } = JSON.parse(process.argv[2])

async function connect() {
  const begin = performance.now()
  const xapi = new Xapi({ url, auth: { user, password }, debounce: 0, eventPollDelay: 0 })
  await xapi.connect()
  await xapi.objectsFetched
  const took = performance.now() - begin
  const objects = Object.keys(xapi.objects.all).length
  await xapi.disconnect()
  await xapi._undiciDispatcher.destroy() // the client leaves its connections open, a host takes 200 of one address
  return [took / 1e3, objects]
}

async function read() {
  const begin = performance.now()
  const [answer] = await once(get({ socketPath, path }), 'response')
  const pieces = []
  for await (const piece of answer) {
    pieces.push(piece)
  }
  const events = JSON.parse(Buffer.concat(pieces)).result.events.length
  return [(performance.now() - begin) / 1e3, events]
}

const connects = []
const reads = []
let objects, events
for (let i = 0; i <= rounds; i++) {
  const [connected, n] = await connect()
  const [readIn, m] = await read()
  if (i > 0) {
    connects.push(connected)
    reads.push(readIn)
  }
  objects = n
  events = m
}
const words = [`objects=${objects}`, `events=${events}`]
connects.forEach((s, i) => words.push(`connect${i}=${s}`, `read${i}=${reads[i]}`))
process.stdout.write(words.join(' ') + '\n', () => process.exit(0))
