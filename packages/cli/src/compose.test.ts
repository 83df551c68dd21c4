import { scenarioOf, shippedScenarios } from '@klatsch/drills'
import { expect, test } from 'vitest'
import { projectOf } from './compose-target.ts'
import { openTarget, placesOf } from './drill-target.ts'
import { madeLike } from './podman.ts'

test('one more container is made like the first, under a name and a label of its own, and nobody starts it again', () => {
  const made = [
    ...['create', '--name=klatsch_chat_1', '--requires=klatsch_kafka_1', '--read-only'],
    ...['--label', 'com.docker.compose.project=klatsch', '--label', 'com.docker.compose.service=chat'],
    ...['--label', 'com.docker.compose.container-number=2', '--label=io.podman.compose.service=chat'],
    ...['--network=klatsch_log:alias=chat', '-e', 'PORT=8080', '--restart', 'unless-stopped'],
    ...['localhost/klatsch', 'node', 'services/chat/src/main.ts'],
  ]
  expect(madeLike(made, { name: 'klatsch_chat-b', part: 'chat-b' })).toEqual([
    ...['create', '--timeout=3600', '--name=klatsch_chat-b', '--read-only'],
    ...['--label', 'com.docker.compose.project=klatsch', '--label', 'com.docker.compose.service=chat-b'],
    ...['--label', 'com.docker.compose.container-number=1', '--label=io.podman.compose.service=chat-b'],
    ...['--network=klatsch_log:alias=chat', '-e', 'PORT=8080'],
    ...['localhost/klatsch', 'node', 'services/chat/src/main.ts'],
  ])
  const otherwise = ['run', '--name', 'a', '--requires', 'b', '--restart=always', 'image']
  expect(madeLike(otherwise, { name: 'c', part: 'd' })).toEqual([
    ...['run', '--timeout=3600', '--name=c', 'image'],
  ])
})

test('containers are named by their project, which is klatsch where none is', () => {
  expect(projectOf('compose')).toBe('klatsch')
  expect(projectOf('compose:mine')).toBe('mine')
  expect(projectOf('running')).toBeUndefined()
  expect(projectOf('http://localhost:8080')).toBeUndefined()
})

test('a drill says where it can be run', () => {
  expect(placesOf(scenarioOf('kill-kafka'))).toEqual(['own', 'running', 'compose'])
  expect(placesOf(scenarioOf('freeze-and-wake'))).toEqual(['own', 'compose'])
  expect(placesOf(scenarioOf('lossy-network'))).toEqual(['own', 'running'])
  expect(placesOf(scenarioOf('ghost-hunt'))).toEqual(['own'])
  for (const scenario of shippedScenarios()) expect(placesOf(scenario)).toContain('own')
})

test('what cannot be run somewhere is refused before anything is done, with those that can', async () => {
  const terminal = { env: {}, signal: new AbortController().signal }
  const on = (where: string, ...names: string[]) =>
    openTarget(where, names.map(scenarioOf), terminal, () => {})
  await expect(on('http://localhost:1', 'kill-kafka', 'slow-readers', 'reorder')).rejects.toThrow(
    /kill-kafka cannot be run against http:\/\/localhost:1: it needs parts to kill[\s\S]*reorder cannot[\s\S]*KLATSCH_TOKEN[\s\S]*can be run there: slow-readers/,
  )
  await expect(on('moon', 'kill-kafka')).rejects.toThrow('--on "moon" is not understood')
  const bugs = [{ ...scenarioOf('kill-kafka'), bugs: ['dedupe-off' as const] }]
  await expect(openTarget('running', bugs, terminal, () => {})).rejects.toThrow('a stack of its own alone')
})
