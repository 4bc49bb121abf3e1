// Requests to the review server, which this page came from.
const TOKEN = "cuesmith token";

export const server = { token: readToken() };

// The answer as a value; null if there is no news. Throws an error with its status; without one, nobody answered.
export async function call(method, path, body) {
  const headers = server.token ? { "X-Cuesmith-Token": server.token } : {};
  if (body) headers["Content-Type"] = "application/json";
  const answer = await fetch(`../../api/${path}`, { method, headers, body: body && JSON.stringify(body) }).catch(() => {
    throw new Error("the review server does not answer; start `cuesmith review` again");
  });
  if (answer.status === 204) return null;
  const value = await answer.json().catch(() => ({}));
  if (answer.ok) return value;
  const problem = typeof value.detail === "string" ? value.detail : `the review server answered ${answer.status}`;
  throw Object.assign(new Error(problem), { ...value, status: answer.status });
}

// The token is in the address after the #, which browsers do not send to servers.
function readToken() {
  if (!location.protocol.startsWith("http")) return null;
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) history.replaceState(null, "", location.pathname);
  try {
    if (token) sessionStorage.setItem(TOKEN, token);
    return sessionStorage.getItem(TOKEN);
  } catch {
    return token;
  }
}
