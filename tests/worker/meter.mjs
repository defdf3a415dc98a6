// Stands before the Worker: counts what each invocation asks of the platform, as the platform does, and shortens how
// long a message waits until it comes again. The rest the Worker sees as it is.
//
// The host puts this beside the Worker's `index.js`. KEDGE_TEST_RETRY_S: the longest that a message waits.
import { WorkerEntrypoint } from "cloudflare:workers";
import Worker from "./index.js";

const say = (what) => console.log(`meter ${JSON.stringify(what)}`);

// What was asked for since the last invocation began: how often, and each call with what repeating it takes. Where it
// matters, tests make one invocation at a time.
let asked = {};
let calls = [];
const count = (what, ...given) => {
  asked[what] = (asked[what] ?? 0) + 1;
  calls.push([what, ...given]);
};

const send = globalThis.fetch;
globalThis.fetch = async (given, init) => {
  // A request that another one is made of has no body any more.
  const copy = given instanceof Request ? given.clone() : new Request(given, init);
  const { method, url } = copy;
  count("fetch", method, url, copy.headers.get("content-type"), await copy.text());
  return send(given, init);
};

/** An object whose functions are those of `changed`, or its own. What is no function is as it was, its name too. */
function with_functions(object, changed) {
  return new Proxy(object, {
    get(target, property) {
      const value = Reflect.get(target, property);
      if (typeof value !== "function" || property === "constructor") return value;
      return changed(property) ?? value.bind(target);
    },
  });
}

function counted(binding, name) {
  return with_functions(binding, (property) => (...given) => {
    count(`${name}.${property}`, name === "r2" ? given[0] : null);
    if (property === "send") say({ sent: 1 });
    if (property === "sendBatch") {
      given[0] = [...given[0]];
      say({ sent: given[0].length });
    }
    return binding[property](...given);
  });
}

/** Runs one invocation, and says what it asked for and what became of its messages. */
async function measured(kind, messages, run, queue) {
  asked = {};
  calls = [];
  say({ began: kind, queue, messages: Object.keys(messages) });
  try {
    return await run();
  } finally {
    say({ ended: kind, queue, asked, calls, messages });
  }
}

export default class Metered extends WorkerEntrypoint {
  constructor(context, env) {
    const seen = { ...env, BUCKET: counted(env.BUCKET, "r2"), QUEUE: counted(env.QUEUE, "queue") };
    super(context, seen);
    this.longest_s = Number(env.KEDGE_TEST_RETRY_S ?? 1);
    this.worker = new Worker(context, seen);
  }

  fetch(request) {
    return measured("fetch", {}, () => this.worker.fetch(request));
  }

  scheduled(event) {
    return measured("scheduled", {}, () => this.worker.scheduled(event));
  }

  queue(batch) {
    const ended = Object.fromEntries(batch.messages.map(({ id }) => [id, "nothing"]));
    const retry = (message, options) => {
      ended[message.id] = "retry";
      message.retry({ delaySeconds: Math.min(options?.delaySeconds ?? 0, this.longest_s) });
    };
    const messages = batch.messages.map((message) =>
      with_functions(message, (property) => {
        if (property === "retry") return (options) => retry(message, options);
        if (property === "ack") return () => ((ended[message.id] = "ack"), message.ack());
        return undefined;
      }),
    );
    const seen = new Proxy(batch, {
      get(target, property) {
        if (property === "messages") return messages;
        const value = Reflect.get(target, property);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    return measured("queue", ended, () => this.worker.queue(seen), batch.queue);
  }
}
