// Tells Kedge on AWS of an upload at once (docs/deploy-aws.md, "Uploads at once").
//
// R2 puts a message into a Cloudflare queue for each new object; this Worker signs its key and ETag, and posts
// them to Kedge's function URL. Kedge takes it for "look now" and reads the bucket itself. What is lost on the
// way is found by the next tick, so nothing is tried for long.

/** How long until Cloudflare brings a message again whose report was not taken, in seconds. */
const RETRY_AFTER_S = 20;
/** What Kedge puts beside an upload. Each is a new object too, and no upload. */
const RESULT = ".result.json";

export default {
  /** Reports each message of a batch; one that fails does not hold up the others. */
  async queue(batch, env) {
    for (const message of batch.messages) {
      const event = reported(message.body, env.KEDGE_BUCKET_PREFIX ?? "");
      const outcome = event === undefined ? "ignored" : await report(event, env);
      console.log(JSON.stringify({ key: message.body?.object?.key, outcome }));
      if (typeof outcome === "number") message.retry({ delaySeconds: outcome });
      else message.ack();
    }
  },
};

/** What is told of an event of R2: none if it is no new upload. */
export function reported(body, prefix) {
  const { key, eTag } = body?.object ?? {};
  const start = prefix === "" ? "" : `${prefix.replace(/\/+$/, "")}/`;
  if (typeof key !== "string" || typeof eTag !== "string" || !key.startsWith(`${start}upload/`)) return undefined;
  return key.endsWith(RESULT) ? undefined : { key: key.slice(start.length), etag: eTag };
}

/** Posts it. A number: not taken, to be tried again after so many seconds. */
async function report(event, env) {
  const body = JSON.stringify(event);
  let answer;
  try {
    answer = await fetch(new URL("/v1/events/definitions", env.KEDGE_URL), {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        "Kedge-Signature": await signature(env.KEDGE_RELAY_KEY, Math.floor(Date.now() / 1000), body),
      },
      body,
      signal: AbortSignal.timeout(20_000),
    });
  } catch {
    return RETRY_AFTER_S;
  }
  await answer.body?.cancel();
  // 409: it came before. 400: it is no upload that Kedge knows. Neither gets better.
  if (answer.ok || answer.status === 409 || answer.status === 400) return answer.status === 400 ? "refused" : "told";
  const wait = Number(answer.headers.get("Retry-After"));
  return Number.isInteger(wait) && wait > 0 ? Math.min(wait, 300) : RETRY_AFTER_S;
}

/** `t=…,v1=…` over time and body, as docs/http.md says. */
export async function signature(key, seconds, body) {
  const encoder = new TextEncoder();
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", encoder.encode(key), algorithm, false, ["sign"]);
  const mac = await crypto.subtle.sign("HMAC", imported, encoder.encode(`${seconds}.${body}`));
  const digits = [...new Uint8Array(mac)].map((byte) => byte.toString(16).padStart(2, "0"));
  return `t=${seconds},v1=${digits.join("")}`;
}
