// SPDX-License-Identifier: LGPL-2.1-or-later
// npm's `xen-api`, the library of Xen Orchestra: a cache of all objects kept up to date by events, and transfers.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Readable } from 'node:stream'

import { Ref, Xapi } from 'xen-api'
import { CancelToken } from 'promise-toolbox'

import { expected, failure, host, please, until } from './host.mjs'

const MIB = 1 << 20

async function connect(options) {
  const xapi = new Xapi({
    url: host.https,
    auth: { user: host.user, password: host.password },
    allowUnauthorized: true,
    debounce: 0,
    eventPollDelay: 100,
    ...options,
  })
  await xapi.connect()
  if (options?.watchEvents !== false) {
    await xapi.objectsFetched
  }
  return xapi
}

const ofType = (xapi, type) => Object.values(xapi.objects.indexes.type[type] ?? {})

const barriers = xapi => Object.keys(xapi.pool.other_config).filter(key => key.startsWith('xo:barrier:'))

async function newVm(xapi, name) {
  const template = ofType(xapi, 'VM').find(vm => vm.name_label === 'Other install media')
  const ref = await xapi.callAsync('VM.clone', template.$ref, name)
  await xapi.call('VM.set_is_a_template', ref, false)
  return xapi.barrier(ref)
}

async function newVdi(xapi, size = 4 * MIB) {
  const ref = await xapi.call('VDI.create', {
    name_label: 'upload',
    name_description: '',
    SR: xapi.pool.default_SR,
    virtual_size: size,
    type: 'user',
    sharable: false,
    read_only: false,
    other_config: {},
  })
  return xapi.barrier(ref)
}

async function download(xapi, vdi, options) {
  const { body, task } = await xapi.getResource('/export_raw_vdi/', { query: { format: 'raw', vdi: vdi.$ref }, ...options })
  const bytes = Buffer.from(await body.arrayBuffer())
  await task
  return bytes
}

// ---- connection ----

export async function connects_and_leaves() {
  const xapi = await connect()
  assert.equal(xapi.status, 'connected')
  assert(Ref.is(xapi.sessionId))
  assert.equal(xapi.pool.$type, 'pool')
  assert.equal(xapi.pool.$master.$type, 'host')
  const { sessionId } = xapi
  const other = await connect({ watchEvents: false })
  assert.equal(typeof (await other.call('session.get_uuid', sessionId).catch(error => error.message)), 'string')
  await xapi.disconnect()
  assert.equal(xapi.status, 'disconnected')
}

export async function every_object_is_in_the_cache() {
  const xapi = await connect()
  let count = 0
  for (const type of xapi._types) {
    const refs = Object.keys(await xapi.call(`${type}.get_all_records`).catch(error => {
      assert.equal(error.code, 'MESSAGE_REMOVED')
      return {}
    }))
    for (const ref of refs) {
      assert.equal(xapi.getObjectByRef(ref).$type, type)
    }
    count += refs.length
  }
  assert.equal(Object.keys(xapi.objects.all).length, count)
  assert(xapi._types.length > 60, `${xapi._types.length} classes`)
  assert.equal(xapi.watchEventsError, undefined)
}

export async function references_lead_to_objects() {
  const { pool } = await connect()
  const [master] = [pool.$master]
  assert(master.$PIFs.every(pif => pif.$host === master && pif.$network.$type === 'network'))
  assert(master.$resident_VMs.some(vm => vm.is_control_domain))
  assert.equal(pool.$default_SR.$PBDs[0].$host, master)
  assert.equal(typeof master.$metrics.live, 'boolean')
}

export async function numbers_are_numbers() {
  const xapi = await connect()
  const vm = ofType(xapi, 'VM')[0]
  for (const field of ['VCPUs_max', 'memory_static_max', 'user_version']) {
    assert.equal(typeof vm[field], 'number', field)
  }
  assert.equal(typeof (await xapi.call('VM.get_VCPUs_max', vm.$ref)), 'number')
  assert.equal(typeof ofType(xapi, 'SR')[0].physical_size, 'number')
}

export async function xml_is_the_same_in_texts() {
  const json = await connect({ watchEvents: false })
  const xml = await connect({ transport: 'xml-rpc' })
  const [vm] = await json.getAllRecords('VM')
  const same = xml.getObjectByUuid(vm.uuid)
  assert.equal(same.name_label, vm.name_label)
  assert.equal(same.VCPUs_max, String(vm.VCPUs_max))
  assert.deepEqual(same.other_config, vm.other_config)
  assert.deepEqual(same.VBDs, vm.VBDs)
  assert.equal((await failure(xml.call('VM.get_uuid', 'OpaqueRef:none'))).code, 'HANDLE_INVALID')
  await xml.pool.update_other_config('clients:xml', '<&> "…"')
  await xml.barrier()
  assert.equal(xml.pool.other_config['clients:xml'], '<&> "…"')
  await xml.pool.update_other_config('clients:xml', null)
}

export async function wrong_password() {
  const error = await failure(connect({ auth: { user: 'root', password: 'guessed' } }))
  assert.equal(error.code, 'SESSION_AUTHENTICATION_FAILED')
  assert.equal(error.params[0], 'root')
}

export async function a_certificate_nobody_vouches_for() {
  const error = await failure(connect({ allowUnauthorized: false }))
  assert.equal(error.code, 'DEPTH_ZERO_SELF_SIGNED_CERT')
}

export async function plain_http() {
  const xapi = await connect({ url: host.http })
  const vdi = await newVdi(xapi)
  const bytes = randomBytes(vdi.virtual_size)
  await xapi.putResource(bytes, '/import_raw_vdi/', { query: { format: 'raw', vdi: vdi.$ref } })
  assert(bytes.equals(await download(xapi, vdi)))
  await vdi.$callAsync('destroy')
}

export async function session_ended_by_somebody_else() {
  const xapi = await connect()
  const before = xapi.sessionId
  await (await connect({ watchEvents: false }))._call('session.logout', [before])
  assert.equal(await xapi.call('pool.get_uuid', xapi.pool.$ref), xapi.pool.uuid)
  assert.notEqual(xapi.sessionId, before)
  await xapi.barrier()
}

export async function read_only() {
  const xapi = await connect({ readOnly: true })
  assert.match((await failure(xapi.call('pool.set_name_label', xapi.pool.$ref, 'x'))).message, /read only/)
  assert.equal(await xapi.getField('pool', xapi.pool.$ref, 'uuid'), xapi.pool.uuid)
}

// ---- calls, tasks, events ----

export async function objects_follow_events() {
  const xapi = await connect()
  const added = []
  const updated = []
  const removed = []
  xapi.objects.on('add', objects => added.push(...Object.keys(objects)))
  xapi.objects.on('update', objects => updated.push(...Object.keys(objects)))
  xapi.objects.on('remove', objects => removed.push(...Object.keys(objects)))

  const vm = await newVm(xapi, 'watched')
  await until(xapi.objects, 'add', () => added.includes(vm.uuid))
  await vm.set_name_label('renamed')
  await until(xapi.objects, 'update', () => updated.includes(vm.uuid) && xapi.getObject(vm.uuid).name_label === 'renamed')
  await vm.$call('destroy')
  await until(xapi.objects, 'remove', () => removed.includes(vm.uuid))
  assert.equal(xapi.getObject(vm.uuid, null), null)
  assert.equal((await failure(xapi.getRecordByUuid('VM', vm.uuid))).code, 'UUID_INVALID')
}

export async function barrier_waits_for_what_was_done() {
  const xapi = await connect()
  const before = barriers(xapi) // of clients that did not wait for the end of their removal
  const vm = await newVm(xapi, 'barrier')
  for (let i = 0; i < 10; ++i) {
    await vm.set_name_description(String(i))
    assert.equal((await xapi.barrier(vm.$ref)).name_description, String(i))
  }
  await Promise.all(Array.from({ length: 20 }, () => xapi.barrier()))
  await vm.$call('destroy')
  await xapi.barrier()
  assert.equal(xapi.getObjectByRef(vm.$ref, null), null)
  await until(xapi.objects, 'update', () => barriers(xapi).every(key => before.includes(key)))
}

export async function fields_are_set() {
  const xapi = await connect()
  let vm = await newVm(xapi, 'fields')
  await vm.update_other_config({ one: '1', two: 'ü', 'with:colon': '' })
  await vm.update_other_config('one', null)
  await vm.update_other_config('absent', null)
  await vm.add_tags('red')
  await vm.add_tags('blue')
  await vm.remove_tags('red')
  await xapi.setFields('VM', vm.$ref, { name_label: 'set', name_description: 'there', is_a_template: undefined })
  await vm.$call('set_VCPUs_max', 4)
  await vm.$call('set_memory_limits', '268435456', 1073741824, 536870912, String(2 ** 30))
  vm = await xapi.barrier(vm.$ref)
  assert.equal(vm.other_config.two, 'ü')
  assert.equal(vm.other_config['with:colon'], '')
  assert(!('one' in vm.other_config))
  assert.deepEqual(vm.tags, ['blue'])
  assert.deepEqual([vm.name_label, vm.name_description, vm.VCPUs_max], ['set', 'there', 4])
  assert.deepEqual([vm.memory_static_min, vm.memory_static_max], [268435456, 1073741824])
  const error = await failure(vm.$call('add_to_other_config', 'two', 'again'))
  assert.deepEqual([error.code, error.params.slice(0, 2)], ['MAP_DUPLICATE_KEY', ['VM', 'other_config']])
  await vm.$call('destroy')
}

export async function failures_are_codes() {
  const xapi = await connect()
  const cases = [
    ['HANDLE_INVALID', ['VM', 'OpaqueRef:none'], 'VM.get_record', 'OpaqueRef:none'],
    ['MESSAGE_METHOD_UNKNOWN', ['VM.dance'], 'VM.dance'],
    ['UUID_INVALID', ['VM', 'none'], 'VM.get_by_uuid', 'none'],
  ]
  for (const [code, params, method, ...args] of cases) {
    const error = await failure(xapi.call(method, ...args))
    assert.deepEqual([error.code, error.params], [code, params])
    assert.equal(error.call.method, method)
  }
}

export async function tasks_end() {
  const xapi = await connect()
  const before = ofType(xapi, 'task') // of others
  const vm = await newVm(xapi, 'tasks')
  const start = () => vm.$callAsync('start', false, false)
  assert.equal(await start(), '')
  assert.equal((await xapi.barrier(vm.$ref)).power_state, 'Running')
  const error = await failure(start())
  assert.deepEqual([error.code, error.params], ['VM_BAD_POWER_STATE', [vm.$ref, 'halted', 'running']])
  assert.equal(error.task.status, 'failure')
  await vm.$callAsync('hard_shutdown')
  const copy = await vm.$callAsync('clone', 'copy')
  assert(Ref.is(copy))
  await xapi.callAsync('VM.destroy', copy)
  await vm.$callAsync('destroy')
  await xapi.barrier()
  await until(xapi.objects, 'remove', () => ofType(xapi, 'task').length <= before.length)
}

export async function a_task_is_cancelled() {
  const xapi = await connect()
  const vm = await newVm(xapi, 'cancelled')
  const { cancel, token } = CancelToken.source()
  await vm.$callAsync('start', false, false)
  const going = xapi.callAsync(token, 'VM.clean_shutdown', vm.$ref)
  await until(xapi.objects, 'add', () => ofType(xapi, 'task').some(task => task.name_label === 'Async.VM.clean_shutdown'))
  cancel('no more')
  await going.catch(error => assert.match(String(error.message ?? error), /cancel/i))
  await vm.$callAsync('hard_shutdown').catch(error => assert.equal(error.code, 'VM_BAD_POWER_STATE'))
  await vm.$callAsync('destroy')
}

export async function own_tasks() {
  const xapi = await connect()
  const ref = await xapi.createTask('[xo] work', 'by a client')
  const task = await xapi.barrier(ref)
  assert.deepEqual([task.name_label, task.status, task.progress], ['[xo] work', 'pending', 0])
  await xapi.call('task.set_progress', ref, 0.5)
  assert.equal((await xapi.barrier(ref)).progress, 0.5)
  const end = xapi.watchTask(ref)
  await xapi.call('task.set_status', ref, 'success')
  assert.equal(await end, '')
}

// ---- transfers ----

export async function a_buffer_goes_in_and_comes_out() {
  const xapi = await connect()
  const vdi = await newVdi(xapi)
  const bytes = randomBytes(vdi.virtual_size)
  assert.equal(await xapi.putResource(bytes, '/import_raw_vdi/', { query: { format: 'raw', vdi: vdi.$ref } }), '')
  assert(bytes.equals(await download(xapi, vdi)))
  assert(bytes.equals(await download(xapi, vdi, { task: false })))
  await vdi.$callAsync('destroy')
}

export async function a_stream_with_a_length() {
  const xapi = await connect()
  const vdi = await newVdi(xapi)
  const bytes = randomBytes(vdi.virtual_size)
  const stream = Readable.from([bytes.subarray(0, MIB), bytes.subarray(MIB)], { objectMode: false })
  stream.length = bytes.length
  const task = xapi.createTask('upload')
  await xapi.putResource(stream, '/import_raw_vdi/', { query: { format: 'raw', vdi: vdi.$ref }, task })
  assert(bytes.equals(await download(xapi, vdi)))
  await vdi.$callAsync('destroy')
}

// It announces a pebibyte and closes behind the last byte. What is not on its way when the answer comes it would lose.
export async function a_stream_of_unknown_length() {
  expected.push(/missing length/)
  const xapi = await connect()
  for (let i = 0; i < 5; ++i) {
    const vdi = await newVdi(xapi)
    const bytes = randomBytes(vdi.virtual_size)
    const task = await xapi.createTask('upload')
    async function* pieces() {
      yield bytes.subarray(0, MIB)
      await until(xapi.objects, 'update', () => xapi.getObjectByRef(task, null)?.progress > 0)
      yield* [bytes.subarray(MIB, 2 * MIB), bytes.subarray(2 * MIB)]
    }
    await xapi.putResource(Readable.from(pieces(), { objectMode: false }), '/import_raw_vdi/', {
      query: { format: 'raw', vdi: vdi.$ref },
      task,
    })
    assert(bytes.equals(await download(xapi, vdi)))
    await vdi.$callAsync('destroy')
  }
}

// All of it is in the connection when the refusal comes.
export async function a_stream_that_is_refused() {
  expected.push(/missing length/)
  const xapi = await connect()
  const vdi = await newVdi(xapi)
  for (let i = 0; i < 10; ++i) {
    const body = Readable.from([Buffer.alloc(vdi.virtual_size)], { objectMode: false })
    const error = await failure(
      xapi.putResource(body, '/import_raw_vdi/', { query: { format: 'raw', vdi: vdi.$ref }, task: 'OpaqueRef:none' })
    )
    assert.equal(error.response?.statusCode, 400, error)
  }
  await vdi.$callAsync('destroy')
}

export async function an_upload_that_fails() {
  const xapi = await connect()
  const put = (query, bytes = Buffer.alloc(3 * MIB)) => xapi.putResource(bytes, '/import_raw_vdi/', { query })
  const vdi = await newVdi(xapi, MIB)
  const full = await failure(put({ format: 'raw', vdi: vdi.$ref })) // its disk holds 2 MiB
  assert.equal(full.code, 'INTERNAL_ERROR')
  assert.equal((await failure(put({ format: 'raw', vdi: 'OpaqueRef:none' }))).response.statusCode, 400)
  assert.equal((await failure(put({ format: 'bmp', vdi: vdi.$ref }))).response.statusCode, 404)
  assert.equal((await failure(download(xapi, { $ref: 'OpaqueRef:none' }))).response.statusCode, 400)
  await vdi.$callAsync('destroy')
}

export async function a_download_that_is_cut_off() {
  const xapi = await connect()
  const vdi = await newVdi(xapi, 64 * MIB)
  const { body, task } = await xapi.getResource('/export_raw_vdi/', { query: { format: 'raw', vdi: vdi.$ref } })
  body.on('error', () => {})
  body.destroy()
  assert.equal(typeof (await failure(task)).code, 'string')
  await vdi.$callAsync('destroy')
}

// ---- the daemon goes ----

export async function restart_of_the_daemon() {
  expected.push(/_watchEvents/)
  const xapi = await connect()
  const vm = await newVm(xapi, 'before')
  const login = once(xapi, 'sessionId') // what is called while the client logs in again fails there
  await please('restart')
  await login
  await vm.set_name_label('after')
  assert.equal((await xapi.barrier(vm.$ref)).name_label, 'after')
  await vm.$callAsync('destroy')
}

export async function hand_over_is_not_noticed() {
  const xapi = await connect()
  const { sessionId } = xapi
  const vm = await newVm(xapi, 'handed over')
  let working = true
  let calls = 0
  const work = (async () => {
    while (working) {
      await vm.set_name_description(String(++calls))
    }
  })()
  await please('hand over')
  await xapi.barrier()
  working = false
  await work
  assert.equal(xapi.sessionId, sessionId)
  assert.equal((await xapi.barrier(vm.$ref)).name_description, String(calls))
  assert.equal(xapi.watchEventsError, undefined)
  await vm.$callAsync('destroy')
}
