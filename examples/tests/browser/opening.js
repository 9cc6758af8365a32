import { ask, bytes, failure, open, read, write } from "/page.js";

export async function isRejected() {
  const session = ask("/rejected?by=a-route");
  return [await failure(session.ready), await failure(session.closed)];
}

export async function offers() {
  const session = await open("/", { protocols: ["a", "b"] });
  return session.protocol;
}

export async function fifty() {
  const sessions = await Promise.all(Array.from({ length: 50 }, () => open()));
  return Promise.all(sessions.map(echo));
}

async function echo(session, index) {
  const stream = await session.createBidirectionalStream();
  await write(stream.writable, `session ${index}`);
  return read(stream.readable);
}
