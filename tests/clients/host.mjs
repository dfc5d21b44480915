// SPDX-License-Identifier: LGPL-2.1-or-later
// The host under test, as a story sees it.
import { createInterface } from 'node:readline'

/** URLs (`http`, `https`) and who logs in (`user`, `password`). */
export const host = JSON.parse(process.env.XENOLITH_HOST)

/** Patterns of warnings that a story brings about on purpose. */
export const expected = []

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

/** Has something done to the daemon ("restart", "hand over": conftest.py) and returns when it is done. */
export async function please(deed) {
  process.stdout.write(`please ${deed}\n`)
  await answers.next()
}

/** Until check() is true; asked again whenever something is emitted. */
export function until(emitter, event, check) {
  return new Promise(resolve => {
    const look = () => {
      if (check()) {
        emitter.removeListener(event, look)
        resolve()
      }
    }
    emitter.on(event, look)
    look()
  })
}

/** What the promise is rejected with. */
export async function failure(promise) {
  const [{ status, reason }] = await Promise.allSettled([promise])
  if (status === 'fulfilled') {
    throw new Error('that was to fail')
  }
  return reason
}
