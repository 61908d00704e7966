// An OpenID provider on oidc-provider, with the pages it has for development. Reads one JSON object from
// standard input to begin ({port, clients}), says when it listens, and serves until it is ended.
import { Provider } from "oidc-provider";
import { generateKeyPairSync } from "node:crypto";
import { createInterface } from "node:readline";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const read = async () => JSON.parse((await lines.next()).value);
const say = (value) => process.stdout.write(JSON.stringify(value) + "\n");
console.info = console.warn = () => {}; // it warns that it is set up for development, as it is

const jwk = (kid, ...how) => ({ ...generateKeyPairSync(...how).privateKey.export({ format: "jwk" }), kid, use: "sig" });
const { port, clients } = await read();
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients,
  jwks: { keys: [jwk("rsa", "rsa", { modulusLength: 2048 }), jwk("ec", "ec", { namedCurve: "P-256" })] },
  cookies: { keys: ["a key of the tests"] },
  clientAuthMethods: ["client_secret_basic", "client_secret_post", "private_key_jwt"],
  enabledJWA: { idTokenSigningAlgValues: ["RS256", "ES256", "PS256"] },
  pkce: { required: () => true },
  requireNonce: () => true,
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "address", "groups"] },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, name: "Zoë Öberg", groups: ["staff", "R&D"],
    email: `${id}@op.example`, email_verified: true, address: { country: "NL" } }) }),
  features: { backchannelLogout: { enabled: true } },
  // Its own fetch keeps away from loopback addresses, which is where everything is here.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
});
for (const event of ["server_error", "authorization.error", "grant.error", "backchannel.error", "end_session.error"])
  provider.on(event, (_, error) => process.stderr.write(`${event}: ${error.stack ?? error}\n`));
provider.listen(port, "127.0.0.1", () => say({ listening: port }));
