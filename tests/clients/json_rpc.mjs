// SPDX-License-Identifier: LGPL-2.1-or-later
// Stock JSON-RPC clients on /jsonrpc: json-rpc-2.0 over fetch, jayson in both versions, async-xenapi (ids that are UUIDs).
import assert from 'node:assert/strict'
import { webcrypto } from 'node:crypto'

import jayson from 'jayson/promise/index.js'
import { JSONRPCClient, JSONRPCErrorException } from 'json-rpc-2.0'

import { failure, host } from './host.mjs'

globalThis.crypto ??= webcrypto // async-xenapi is written for a Node.js that has it

const isRef = text => /^OpaqueRef:[-0-9a-f]{36}$/.test(text)

/** json-rpc-2.0: knows no transport, so fetch is given. */
function overFetch() {
  const client = new JSONRPCClient(async request => {
    const response = await fetch(`${host.http}/jsonrpc`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(request),
    })
    assert.equal(response.status, 200)
    assert.equal(response.headers.get('content-type'), 'application/json')
    client.receive(await response.json())
  })
  return client
}

function overJayson(options) {
  const { hostname, port } = new URL(host.https)
  return jayson.Client.https({ hostname, port, path: '/jsonrpc', rejectUnauthorized: false, ...options })
}

export async function fetch_calls() {
  const client = overFetch()
  const call = (method, ...params) => client.request(method, params)
  const session = await call('session.login_with_password', host.user, host.password)
  assert(isRef(session))
  const [pool] = await call('pool.get_all', session)
  const record = await call('pool.get_record', session, pool)
  assert(isRef(record.master))
  assert.equal(await call('host.get_uuid', session, record.master), (await call('host.get_record', session, record.master)).uuid)
  const all = await Promise.all(Array.from({ length: 50 }, () => call('VM.get_all_records', session)))
  assert(all.every(records => Object.values(records).every(vm => typeof vm.VCPUs_max === 'number')))
  assert.equal(await call('session.logout', session), '')
}

export async function fetch_failures() {
  const client = overFetch()
  const session = await client.request('session.login_with_password', [host.user, host.password])
  const cases = [
    ['HANDLE_INVALID', ['VM', 'OpaqueRef:none'], 'VM.get_record', [session, 'OpaqueRef:none']],
    ['MESSAGE_METHOD_UNKNOWN', ['VM.dance'], 'VM.dance', [session]],
    ['SESSION_INVALID', ['OpaqueRef:none'], 'VM.get_all', ['OpaqueRef:none']],
    ['SESSION_AUTHENTICATION_FAILED', undefined, 'session.login_with_password', [host.user, 'guess']],
  ]
  for (const [code, data, method, params] of cases) {
    const error = await failure(client.request(method, params))
    assert(error instanceof JSONRPCErrorException)
    assert.deepEqual([error.message, error.code], [code, 1])
    assert.deepEqual(error.data, data ?? error.data)
    assert(error.data.every(text => typeof text === 'string'))
  }
}

export async function fetch_events() {
  const client = overFetch()
  const session = await client.request('session.login_with_password', [host.user, host.password])
  const [pool] = await client.request('pool.get_all', [session])
  const from = token => client.request('event.from', [session, ['pool'], token, 20.5])
  const first = await from('')
  assert.deepEqual(first.events.map(event => [event.class, event.operation, event.ref]), [['pool', 'add', pool]])
  assert.equal(first.valid_ref_counts.pool, 1)
  const waiting = from(first.token)
  await client.request('pool.set_name_description', [session, pool, 'told'])
  const { events } = await waiting
  assert.deepEqual(events.map(event => [event.operation, event.snapshot.name_description]), [['mod', 'told']])
  await client.request('pool.set_name_description', [session, pool, ''])
}

export async function jayson_2() {
  const client = overJayson({})
  const { jsonrpc, id, result: session, error } = await client.request('session.login_with_password', [host.user, host.password])
  assert.deepEqual([jsonrpc, typeof id, error], ['2.0', 'string', undefined])
  assert(isRef(session))
  const refused = await client.request('VM.get_record', [session, 'OpaqueRef:none'])
  assert.deepEqual(refused.error, { code: 1, message: 'HANDLE_INVALID', data: ['VM', 'OpaqueRef:none'] })
  assert(!('result' in refused))
}

export async function jayson_1() {
  const client = overJayson({ version: 1 })
  const answer = await client.request('session.login_with_password', [host.user, host.password])
  assert.deepEqual(Object.keys(answer).sort(), ['error', 'id', 'result'])
  assert.equal(answer.error, null)
  const refused = await client.request('VM.get_record', [answer.result, 'OpaqueRef:none'])
  assert.deepEqual([refused.error, refused.result], [['HANDLE_INVALID', 'VM', 'OpaqueRef:none'], null])
}

export async function async_xenapi() {
  const { AsyncXenAPISession } = (await import('async-xenapi')).default
  const session = new AsyncXenAPISession(host.https)
  await session.login_with_password(host.user, host.password)
  const { xenapi } = session
  const vms = await xenapi.VM.get_all()
  const records = await Promise.all(vms.map(ref => xenapi.VM.get_record(ref)))
  assert(records.some(vm => vm.is_control_domain))
  const task = await xenapi.Async.VM.clone(vms[records.findIndex(vm => vm.name_label === 'Other install media')], 'copy')
  let record
  do {
    const { events } = await xenapi.event.from([`task/${task}`], '', 10)
    record = events.at(-1).snapshot
  } while (record.status === 'pending')
  const [, copy] = /^<value>(.*)<\/value>$/.exec(record.result)
  assert.equal(await xenapi.VM.get_name_label(copy), 'copy')
  await xenapi.task.destroy(task)
  await xenapi.VM.destroy(copy)
  assert.match((await failure(xenapi.VM.get_record(copy))).message, /HANDLE_INVALID/)
  await session.logout()
  assert.match((await failure(xenapi.VM.get_all())).message, /Not logged in/)
}
