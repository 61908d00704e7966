// A relying party on openid-client. Reads one JSON object from standard input to begin; then, line by line,
// says where the person has to go and is told where the person came back to. Ends with what it saw.
import * as client from "openid-client";
import { createInterface } from "node:readline";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const read = async () => JSON.parse((await lines.next()).value);
const say = (value) => process.stdout.write(JSON.stringify(value) + "\n");
const errorOf = (work) => work.then(() => null, (e) => ({ error: e.error ?? null, code: e.code ?? null,
  challenge: e.cause?.[0]?.scheme ?? null }));

const { issuer, clientId, secret, method, redirectUri, postLogout } = await read();
const authentication = { basic: () => client.ClientSecretBasic(secret),
  post: () => client.ClientSecretPost(secret), none: () => client.None() }[method]();
const config = await client.discovery(new URL(issuer), clientId, undefined, authentication,
  { execute: [client.allowInsecureRequests] });
client.enableNonRepudiationChecks(config); // verify the signature of ID tokens too

const verifier = client.randomPKCECodeVerifier(), nonce = client.randomNonce(), state = client.randomState();
const url = client.buildAuthorizationUrl(config, {
  redirect_uri: redirectUri, scope: "openid email profile", nonce, state,
  code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256" });
say({ goTo: url.href });
const current = new URL((await read()).cameTo);
const checks = { pkceCodeVerifier: verifier, expectedNonce: nonce, expectedState: state, idTokenExpected: true };
const tokens = await client.authorizationCodeGrant(config, current, checks);
const sub = tokens.claims().sub;
const info = await client.fetchUserInfo(config, tokens.access_token, sub);
const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
const infoAfter = await client.fetchUserInfo(config, refreshed.access_token, sub);
const wrongScope = await errorOf(client.refreshTokenGrant(config, tokens.refresh_token, { scope: "openid api/write" }));
await client.tokenRevocation(config, tokens.refresh_token);
const afterRevocation = {
  refresh: await errorOf(client.refreshTokenGrant(config, tokens.refresh_token)),
  userInfo: await errorOf(client.fetchUserInfo(config, tokens.access_token, sub)),
};
const codeAgain = await errorOf(client.authorizationCodeGrant(config, current, checks));
const leave = client.buildEndSessionUrl(config, { post_logout_redirect_uri: postLogout,
  id_token_hint: refreshed.id_token, state });
say({ claims: tokens.claims(), info, infoAfter, refreshedClaims: refreshed.claims(), wrongScope, afterRevocation,
  codeAgain, leave: leave.href, logoutState: state, metadata: config.serverMetadata() });
process.exit(0);
