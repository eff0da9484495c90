// What the function in infra/edge.yaml makes of requests: `node --test tests/edge/function.test.mjs`.
//
// `events/X.json` is what CloudFront hands to a function for a viewer's request (event version 1.0), `X.expected.json`
// the headers that must go on to the gateway; nothing else of the request may change.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import vm from 'node:vm';

const here = new URL('.', import.meta.url);
const CODE = functionCode(readFileSync(new URL('../../infra/edge.yaml', here), 'utf8'));

// CloudFront takes no longer function than this, in bytes.
const CODE_BYTES_MAX = 10_240;

// Each takes away one thing that the function is for.
const MUTANTS = [
  ['keeps what clients send', ".forEach((name) => delete headers[name])", ''],
  ['takes away one name only', "startsWith('x-faregate-')", "startsWith('x-faregate-host')"],
  ['looks at names in lower case only', 'name.toLowerCase()', 'name'],
  ['says no address', "headers['x-faregate-client-address'] = { value: event.viewer.ip };", ''],
  ["believes the client's address", "{ value: event.viewer.ip }", "headers['x-forwarded-for'] || { value: event.viewer.ip }"],
  ['says no host', "headers['x-faregate-host'] = { value: host.value };", ''],
  ["believes the client's host", '= headers.host', "= headers['x-forwarded-host'] || headers.host"],
  ['adds to what is there', "headers['x-faregate-host'] = { value: host.value }", "headers['x-faregate-host'] = host"],
  ['picks one of two hosts', ' && !(host.multiValue && host.multiValue.length > 1)', ''],
  ['passes an empty host on', ' && host.value', ''],
  ['wants a host', 'host && host.value', 'host.value'],
  ['changes the path', 'return request', "request.uri = request.uri.toLowerCase(); return request"],
];

// The block `FunctionCode: |` without its indentation. A block scalar ends where a line stands further left.
function functionCode(template) {
  const lines = template.split('\n');
  const start = lines.findIndex((line) => /^ *FunctionCode: \|$/.test(line));
  assert.notEqual(start, -1, 'infra/edge.yaml has no `FunctionCode: |`');
  const indent = lines[start + 1].search(/\S/);
  const rest = lines.slice(start + 1);
  const end = rest.findIndex((line) => line.trim() !== '' && line.search(/\S/) < indent);
  return rest.slice(0, end).map((line) => line.slice(indent)).join('\n');
}

function cases() {
  const read = (name) => JSON.parse(readFileSync(new URL(`events/${name}`, here), 'utf8'));
  const names = readdirSync(new URL('events', here)).filter((name) => name.endsWith('.expected.json'));
  return names.map((name) => name.replace('.expected.json', '')).map((name) => ({
    name,
    event: read(`${name}.json`),
    headers: read(`${name}.expected.json`),
  }));
}

// What comes back, as JSON: the function runs where there is the language and nothing else, as at CloudFront.
function run(code, event) {
  const nothing = Object.create(null);
  const options = { contextCodeGeneration: { strings: false, wasm: false }, timeout: 1000 };
  const call = `${code};\nJSON.stringify(handler(JSON.parse(${JSON.stringify(JSON.stringify(event))})))`;
  return JSON.parse(vm.runInNewContext(call, nothing, options));
}

function check(code, { event, headers }) {
  assert.deepEqual(run(code, event), { ...event.request, headers });
}

// Names of the cases that such a function does not pass.
function failures(code) {
  const fails = (one) => {
    try {
      check(code, one);
      return false;
    } catch {
      return true;
    }
  };
  return cases().filter(fails).map((one) => one.name);
}

for (const one of cases()) {
  test(`the gateway learns the truth: ${one.name}`, () => check(CODE, one));
}

test('every event has its expectation', () => {
  const files = readdirSync(new URL('events', here));
  assert.equal(files.length, 2 * cases().length);
  assert.ok(cases().length >= 10);
});

test('CloudFront takes the function', () => {
  assert.ok(Buffer.byteLength(CODE) <= CODE_BYTES_MAX);
  assert.doesNotMatch(CODE, /\b(require|import|eval|process|fetch|setTimeout)\b/);
});

for (const [what, from, to] of MUTANTS) {
  test(`a function that ${what} is noticed`, () => {
    const mutant = CODE.replace(from, () => to);
    assert.notEqual(mutant, CODE, `the function has no ${from}`);
    assert.notDeepEqual(failures(mutant), []);
  });
}
