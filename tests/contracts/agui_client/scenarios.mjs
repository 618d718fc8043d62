// One scenario of a person who uses a desk through the real AG-UI client, told as JSON.
// `node scenarios.mjs NAME`, beside the `ws-agent.mjs` of docs/ag-ui.md. What the client's own
// verifier refuses ends this program with an error.
import { createServer, connect } from "node:net";
import { WsAgent } from "./ws-agent.mjs";

const { OUTCRY_URL: url, OUTCRY_KEY: key, OUTCRY_QUESTION: question } = process.env;
const { OUTCRY_AGENT: agentId } = process.env;
const forwardedProps = agentId ? { outcry: { agentId } } : {};

/** An agent whose every event is kept in `seen`, after the client has accepted it. */
function recorded(agent, onEvent = () => {}) {
  const seen = [];
  agent.subscribe({
    onEvent: ({ event }) => {
      seen.push(event);
      onEvent(event, seen);
    },
  });
  return { agent, seen };
}

function told({ agent, seen }, more = {}) {
  return { threadId: agent.threadId, events: seen, messages: agent.messages, ...more };
}

function ask(agent, content = question) {
  agent.addMessage({ id: crypto.randomUUID(), role: "user", content });
  return agent.runAgent({ forwardedProps });
}

/** A line to the desk that can be cut. */
async function relay() {
  const target = new URL(url);
  const open = new Set();
  const server = createServer((near) => {
    const far = connect(Number(target.port), target.hostname);
    for (const [one, other] of [[near, far], [far, near]]) {
      open.add(one);
      one.on("error", () => {});
      one.on("close", () => other.destroy());
      one.pipe(other);
    }
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    url: `ws://127.0.0.1:${server.address().port}${target.pathname}`,
    cut: () => open.forEach((socket) => socket.destroy()),
    close: () => server.close(),
  };
}

const isText = (event) => event.type === "TEXT_MESSAGE_CONTENT";

const scenarios = {
  async answer() {
    const here = recorded(new WsAgent({ url, key }));
    await ask(here.agent);
    return told(here);
  },

  async cancelled() {
    const here = recorded(new WsAgent({ url, key }), (event) => isText(event) && here.agent.abortRun());
    await ask(here.agent);
    return told(here);
  },

  async regenerated() {
    const here = recorded(new WsAgent({ url, key }));
    await ask(here.agent);
    const asked = here.agent.messages.find((message) => message.role === "user");
    here.agent.setMessages([asked]);
    await here.agent.runAgent({
      forwardedProps: { outcry: { mode: "regenerate", fromMessageId: asked.id } },
    });
    return told(here);
  },

  async dropped() {
    const line = await relay();
    let cuts = 0;
    const here = recorded(new WsAgent({ url: line.url, key }), (event, seen) => {
      if (seen.filter(isText).length === 5 * (cuts + 1) && cuts < 2) {
        cuts += 1;
        line.cut();
      }
    });
    await ask(here.agent);
    line.close();
    return told(here, { cuts });
  },

  async reopened() {
    const first = recorded(new WsAgent({ url, key }));
    await ask(first.agent);
    const later = new WsAgent({ url, key, threadId: first.agent.threadId });
    const second = recorded(later);
    await later.connectAgent();
    return { first: told(first), second: told(second) };
  },

  async joined() {
    let opened;
    const follow = (event) => {
      if (!isText(event) || opened) return;
      const second = recorded(new WsAgent({ url, key, threadId: first.agent.threadId }));
      opened = second.agent.connectAgent().then(() => second);
    };
    const first = recorded(new WsAgent({ url, key }), follow);
    await ask(first.agent);
    return { first: told(first), second: told(await opened) };
  },

  async refused() {
    const here = recorded(new WsAgent({ url, key }));
    await ask(here.agent, " ");
    return told(here);
  },

  async beheaded() {
    class Beheaded extends WsAgent {
      run(input) {
        return super.run(input).pipe((events) => {
          const Observable = events.constructor;
          return new Observable((out) =>
            events.subscribe({
              next: (event) => event.type !== "RUN_STARTED" && out.next(event),
              error: (error) => out.error(error),
              complete: () => out.complete(),
            }),
          );
        });
      }
    }
    const here = recorded(new Beheaded({ url, key }));
    await ask(here.agent);
    return told(here);
  },
};

process.stdout.write(JSON.stringify(await scenarios[process.argv[2]]()), () => process.exit(0));
