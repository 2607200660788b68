/** The app's REST API, as one user. */
import { Refused } from "./connection.js";

export class Rest {
  constructor({ node, tokens, user }) {
    Object.assign(this, { node, tokens, user });
  }

  async call(method, path, body) {
    const { token } = await this.tokens.get(this.user);
    const headers = { authorization: `Bearer ${token}` };
    if (body) headers["content-type"] = "application/json";
    const request = { method, headers, body: body && JSON.stringify(body), signal: AbortSignal.timeout(10_000) };
    const answer = await fetch(this.node + path, request);
    const data = answer.status === 204 ? null : await answer.json();
    if (answer.ok) return data;
    throw new Refused({ ...data, message: data.detail });
  }

  get(path) {
    return this.call("GET", path);
  }
}
