// Makes the same calls as a check does (CALLS, as meter.mjs noted them), and nothing else: what they cost is the cost
// of the simulators, not the Worker's.
export default {
  async queue(batch, env) {
    if (batch.messages.length === 0) return;
    const repeat = {
      fetch: async (method, url, type, body) => {
        const headers = { authorization: "aivenv1 tests", ...(type ? { "content-type": type } : {}) };
        await (await fetch(url, { method, headers, body: body || undefined, redirect: "manual" })).arrayBuffer();
      },
      "r2.get": async (key) => (await env.BUCKET.get(key))?.arrayBuffer(),
      "r2.list": (options) => env.BUCKET.list(options),
      "r2.head": (key) => env.BUCKET.head(key),
    };
    await Promise.all(JSON.parse(env.CALLS).map(([what, ...given]) => repeat[what](...given)));
    batch.ackAll();
  },
};
