// Drives a host with npm's xen-api, the connector of Xen Orchestra, as it comes: logs in over verified TLS, reads pool
// and host, creates and starts a PV guest, and is told by event.from when the guest powers itself off.
//
// One JSON object a line on standard output; exit status 0 when all went well, else 1 with a sentence on standard error.
//
//   node xen_api_client.mjs --url https://NAME:PORT --user root --password-file FILE --ca FILE \
//     --kernel PATH --ramdisk PATH --nonce TEXT

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import { Xapi } from 'xen-api'

const LONGEST_SECONDS = 300

const text = { type: 'string' }
const { values: options } = parseArgs({
  options: {
    url: text,
    user: text,
    'password-file': text,
    ca: text,
    kernel: text,
    ramdisk: text,
    nonce: text,
  },
})
for (const name of ['url', 'user', 'password-file', 'ca', 'kernel', 'nonce']) {
  if (options[name] === undefined) {
    fail(`--${name} is missing`)
  }
}

// Node reads its authorities once, at its start, and xen-api knows no other way to name one. So this program runs
// itself: with no further authority than Node's own, which must be refused, then with the host's.
const ROLE = 'ZEROTH_LAB_CLIENT_ROLE'
switch (process.env[ROLE]) {
  case undefined:
    process.exit(again('stranger', undefined) || again('client', options.ca))
  case 'stranger':
    await mustBeRefused()
    break
  default:
    setTimeout(() => fail(`not done after ${LONGEST_SECONDS} s`), LONGEST_SECONDS * 1e3).unref()
    await work().catch(error => fail(error.stack ?? String(error)))
}
process.exit(0)

function again(role, authorities) {
  const env = { ...process.env, [ROLE]: role }
  delete env.NODE_EXTRA_CA_CERTS
  if (authorities !== undefined) {
    env.NODE_EXTRA_CA_CERTS = authorities
  }
  const args = [fileURLToPath(import.meta.url), ...process.argv.slice(2)]
  return spawnSync(process.execPath, args, { env, stdio: 'inherit' }).status ?? 1
}

function tell(step, facts = {}) {
  process.stdout.write(JSON.stringify({ step, ...facts }) + '\n')
}

function fail(why) {
  process.stderr.write(`xen_api_client: ${why}\n`)
  process.exit(1)
}

function connector(more = {}) {
  const password = readFileSync(options['password-file'], 'utf8').replace(/\n$/, '')
  return new Xapi({ url: options.url, auth: { user: options.user, password }, ...more })
}

async function mustBeRefused() {
  try {
    await connector({ watchEvents: false }).connect()
  } catch (error) {
    const code = (error.cause ?? error).code
    if (['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'].includes(code)) {
      tell('refused-wrong-ca', { code })
      return
    }
    fail(`without the host's authority another error came than expected: ${error.stack}`)
  }
  fail('the host was trusted without its authority')
}

async function work() {
  const xapi = connector()
  xapi.on('error', error => fail(error.stack))
  await xapi.connect()
  await xapi.objectsFetched
  const pool = xapi.pool
  const host = xapi.getObjectByRef(pool.master)
  tell('connected', {
    pool: { uuid: pool.uuid, name_label: pool.name_label },
    host: { uuid: host.uuid, name_label: host.name_label, software_version: host.software_version },
    methods: (await xapi.call('system.listMethods')).length,
  })

  const memory = 128 * 1024 * 1024
  const name = `xen-api ${options.nonce}`
  const ref = await xapi.callAsync('VM.create', {
    name_label: name,
    name_description: 'made by a test',
    memory_static_min: memory,
    memory_dynamic_min: memory,
    memory_dynamic_max: memory,
    memory_static_max: memory,
    VCPUs_max: 1,
    VCPUs_at_startup: 1,
    actions_after_shutdown: 'destroy',
    actions_after_reboot: 'destroy',
    actions_after_crash: 'destroy',
    domain_type: 'pv',
    PV_kernel: options.kernel,
    PV_ramdisk: options.ramdisk ?? '',
    PV_args: `console=hvc0 quiet nonce=${options.nonce} guest.poweroff=40`,
    HVM_boot_policy: '',
  })
  await xapi.callAsync('VM.start', ref, false, false)
  const running = await stateOf(xapi, ref, 'Running')
  const record = await xapi.getRecord('VM', ref)
  tell('started', { uuid: running.uuid, name, domid: record.domid })
  await stateOf(xapi, ref, 'Halted')
  tell('halted')
  await xapi.call('VM.destroy', ref)
  await xapi.disconnect()
}

// Resolves once events have told of the VM in a power state.
function stateOf(xapi, ref, state) {
  return new Promise(resolve => {
    const look = () => {
      const vm = xapi.getObjectByRef(ref, undefined)
      if (vm?.power_state === state) {
        xapi.objects.removeListener('add', look)
        xapi.objects.removeListener('update', look)
        resolve(vm)
      }
    }
    xapi.objects.on('add', look)
    xapi.objects.on('update', look)
    look()
  })
}
