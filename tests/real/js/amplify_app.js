// A single-page app on aws-amplify. The page gives it window.CONFIG; a test calls window.app.
import { Amplify } from "aws-amplify";
import "aws-amplify/auth/enable-oauth-listener";
import { fetchAuthSession, fetchUserAttributes, getCurrentUser, signInWithRedirect, signOut } from "aws-amplify/auth";
import { Hub } from "aws-amplify/utils";

Amplify.configure(window.CONFIG);
window.heard = [];
Hub.listen("auth", ({ payload }) => window.heard.push([payload.event, payload.data?.error?.message ?? payload.data ?? null]));

const shown = ({ tokens }) => tokens && { access: tokens.accessToken.payload, id: tokens.idToken.payload,
  accessToken: tokens.accessToken.toString() };
const errorOf = (work) => work.then(() => null, (error) => error.name);
window.app = {
  signIn: (provider) => signInWithRedirect({ customState: "a state: {with} \"odd\" characters & more",
    ...(provider ? { provider: { custom: provider } } : {}) }),
  session: async () => shown(await fetchAuthSession()) ?? null,
  refresh: async () => shown(await fetchAuthSession({ forceRefresh: true })) ?? null,
  attributes: () => fetchUserAttributes(),
  user: () => getCurrentUser(),
  userError: () => errorOf(getCurrentUser()),
  signOut: (global) => signOut({ global }),
};
