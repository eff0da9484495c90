// A certified OpenID provider for the tests, at 127.0.0.1 and a port of its own.
//
// It says in one JSON line on standard output where it listens, and answers each line of standard input with one:
// `rotate` (another signing key alone), `overlap` (another signing key, and the one before it still in the set), `hang`
// (no request is answered any more), `resume`, `stop` (nothing listens), `start` (at the same port), `requests` (how many
// requests came for each path). It ends with its standard input.

import { Console } from 'node:console';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

import { exportJWK, generateKeyPair } from 'jose';
import { Provider } from 'oidc-provider';

// What the provider says is for people: only answers go to standard output.
globalThis.console = new Console(process.stderr, process.stderr);
const answer = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

const RESOURCE = 'urn:example:orders';

let handle;
let keys = [];
let hanging = false;
let server;
let port = 0;
const requests = {};

async function signingKey() {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  return { ...(await exportJWK(privateKey)), kid: randomUUID(), use: 'sig', alg: 'ES256' };
}

// With the keys that stay in the set behind the new one.
async function provider(staying = []) {
  keys = [await signingKey(), ...staying];
  const configuration = {
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    clients: [{
      client_id: 'shop',
      client_secret: 'a secret of the shop',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      scope: 'read write',
    }, {
      client_id: 'gateway',
      client_secret: 'a secret of the gateway',
      grant_types: [],
      redirect_uris: [],
      response_types: [],
    }],
    extraTokenClaims: (_ctx, token) => ({ sub: token.clientId, tenant: 'acme' }),
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      introspection: { enabled: true, allowedPolicy: (_ctx, client) => client.clientId === 'gateway' },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_ctx, resource) => ({
          accessTokenFormat: resource === RESOURCE ? 'jwt' : 'opaque',
          accessTokenTTL: 3600,
          audience: 'orders',
          jwt: { sign: { alg: 'ES256' } },
          scope: 'read write',
        }),
      },
      revocation: { enabled: true },
    },
    jwks: { keys },
    scopes: ['read', 'write'],
    ttl: { ClientCredentials: 3600 },
  };
  return new Provider(`http://127.0.0.1:${port}`, configuration).callback();
}

function listen() {
  return new Promise((resolve, reject) => {
    server = createServer((request, response) => {
      const path = request.url.split('?')[0];
      requests[path] = (requests[path] ?? 0) + 1;
      if (!hanging) handle(request, response);
    });
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      port = server.address().port;
      resolve();
    });
  });
}

function close() {
  server.closeAllConnections();
  return new Promise((resolve) => { server.close(resolve); });
}

const commands = {
  rotate: async () => { handle = await provider(); },
  overlap: async () => { handle = await provider(keys.slice(0, 1)); },
  hang: async () => { hanging = true; },
  resume: async () => { hanging = false; },
  stop: close,
  start: listen,
  requests: async () => requests,
};

await listen();
handle = await provider();
answer({ issuer: `http://127.0.0.1:${port}`, resource: RESOURCE });
for await (const line of createInterface({ input: process.stdin })) {
  answer((await commands[line]()) ?? {});
}
process.exit(0);
