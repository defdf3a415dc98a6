// Cloudflare on this machine, as far as it can be had without an account: the Worker as it was built, in the real
// runtime (workerd), with R2, Queues and cron by miniflare. R2 is served by S3 too, as the real one is.
//
//   node host.mjs SETTINGS.json     prints {"url", "control", "s3", "workerd"} once it is ready; ends on SIGTERM
//
// SETTINGS: see `settings` below. Everything listens on 127.0.0.1, on free ports. The control server takes
//
//   POST /tick?cron=C        a cron trigger; gives the outcome
//   POST /send?queue=Q       puts the body's JSON into a queue, as a binding or R2 would
//   POST /deliver?queue=Q    hands the body's messages over at once, as one batch; gives the result of each
//   GET  /backlog?queue=Q    how many messages wait there to be handed over
//   POST /bindings           from now on these variables and secrets: what a new deployment does
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { pathToFileURL } from "node:url";

const settings = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
// Tools from npm are not beside this file (.ci/worker-tools).
const { Miniflare, Log, LogLevel } = await import(pathToFileURL(path.join(settings.npm, "miniflare/dist/src/index.js")));

/** What the Worker says goes into a file, each stream line by line as it comes. */
function keepLogs(stdout, stderr) {
  const log = fs.createWriteStream(settings.log, { flags: "a" });
  stdout.pipe(log, { end: false });
  stderr.pipe(log, { end: false });
}

function options(bindings) {
  return {
    host: "127.0.0.1",
    port: settings.port ?? 0,
    cf: false,
    log: new Log(LogLevel.WARN),
    handleRuntimeStdio: keepLogs,
    modules: true,
    rootPath: settings.folder,
    modulesRoot: settings.folder,
    scriptPath: settings.script,
    modulesRules: [
      { type: "ESModule", include: ["**/*.js", "**/*.mjs"] },
      { type: "CompiledWasm", include: ["**/*.wasm"], fallthrough: true },
    ],
    compatibilityDate: settings.compatibility_date,
    compatibilityFlags: settings.compatibility_flags ?? [],
    bindings,
    // A bucket and its queues outlive the process, as the real ones do.
    r2Persist: path.join(settings.state, "r2"),
    r2Buckets: { [settings.bucket.binding]: { id: settings.bucket.name, s3Credentials: settings.bucket.credentials } },
    queueProducers: Object.fromEntries(settings.queues.map(({ binding, name }) => [binding, { queueName: name }])),
    queueConsumers: settings.consumers,
  };
}

let bindings = settings.bindings;
const miniflare = new Miniflare(options(bindings));
const url = await miniflare.ready;

/** The process that runs the Worker, where the system tells. */
function workerd() {
  try {
    const children = fs.readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").trim().split(" ");
    return Number(children.find((pid) => fs.readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("workerd")));
  } catch {
    return null;
  }
}

const routes = {
  async "POST /tick"(query) {
    const worker = await miniflare.getWorker();
    return worker.scheduled({ cron: query.get("cron"), scheduledTime: new Date() });
  },
  async "POST /send"(query, body) {
    const queue = settings.queues.find(({ name }) => name === query.get("queue"));
    await (await miniflare.getQueueProducer(queue.binding)).send(body, { contentType: "json" });
    return {};
  },
  async "POST /deliver"(query, body) {
    const worker = await miniflare.getWorker();
    const messages = body.map(({ id, body, attempts = 1 }) => ({ id, body, attempts, timestamp: new Date() }));
    return worker.queue(query.get("queue"), messages);
  },
  async "GET /backlog"(query) {
    const queue = settings.queues.find(({ name }) => name === query.get("queue"));
    return (await miniflare.getQueueProducer(queue.binding)).metrics();
  },
  async "POST /bindings"(_, body) {
    bindings = body;
    await miniflare.setOptions(options(bindings));
    return { url: await miniflare.ready, workerd: workerd() };
  },
};

async function answer(request) {
  const { pathname, searchParams } = new URL(request.url, "http://control");
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  return (await routes[`${request.method} ${pathname}`](searchParams, text && JSON.parse(text))) ?? {};
}

const control = http.createServer((request, response) => {
  answer(request).then(
    (said) => response.writeHead(200).end(JSON.stringify(said)),
    (error) => response.writeHead(500).end(String(error?.stack ?? error)),
  );
});
control.listen(0, "127.0.0.1", () => {
  console.log(
    JSON.stringify({
      url: url.href,
      control: `http://127.0.0.1:${control.address().port}`,
      s3: new URL("/cdn-cgi/local/r2/s3/", url).href,
      workerd: workerd(),
    }),
  );
});

async function stop() {
  control.closeAllConnections();
  control.close();
  await miniflare.dispose();
  process.exit(0);
}
process.on("SIGTERM", stop);
process.on("SIGINT", stop);
