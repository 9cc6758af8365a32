import { bytes, failure, next, open } from "/page.js";

// A browser's own codes have 8 bits. What travels has a gap after every 30.
const CODES = [0, 29, 30, 255];

export async function aborts() {
  const session = await open();
  for (const code of CODES) {
    const { readable, writable } = await begin(session);
    // A reset may overtake what came before it.
    await next(readable);
    await writable.abort(error(code));
  }
}

export async function cancels() {
  const session = await open();
  for (const code of CODES) {
    const { readable } = await begin(session);
    await readable.cancel(error(code));
  }
}

export async function isReset() {
  const session = await open();
  const failures = [];
  while (failures.length < 4) {
    const { readable } = await begin(session);
    failures.push(await failure(next(readable)));
  }
  return failures;
}

export async function isStopped() {
  const session = await open();
  const failures = [];
  while (failures.length < 4) {
    const { writable } = await begin(session);
    failures.push(await failure(writable.getWriter().closed));
  }
  return failures;
}

/** Opens a stream that the server can accept. */
async function begin(session) {
  const stream = await session.createBidirectionalStream();
  const writer = stream.writable.getWriter();
  await writer.write(bytes("?"));
  writer.releaseLock();
  return stream;
}

function error(streamErrorCode) {
  return new WebTransportError({ message: "", streamErrorCode });
}
