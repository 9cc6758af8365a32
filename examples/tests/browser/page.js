// What cases have in common.

const { name, url, hash } = await (await fetch("/setup")).json();
export { name };

/** Asks for a session. */
export function ask(path = "/", options = {}) {
  const value = new Uint8Array(hash);
  const serverCertificateHashes = [{ algorithm: "sha-256", value }];
  return new WebTransport(url + path, { serverCertificateHashes, ...options });
}

/** Opens a session. */
export async function open(path, options) {
  const session = ask(path, options);
  await session.ready;
  return session;
}

/** Takes the next of a stream of streams, or of datagrams. */
export async function next(readable) {
  const reader = readable.getReader();
  const { value } = await reader.read();
  reader.releaseLock();
  return value;
}

/** Writes a text and the end. */
export async function write(writable, text) {
  const writer = writable.getWriter();
  await writer.write(bytes(text));
  await writer.close();
}

/** Reads a text to its end. */
export function read(readable) {
  return new Response(readable).text();
}

/** Waits until it is rejected; gives the error as plain properties. */
export function failure(promise) {
  const plain = ({ name, source, streamErrorCode }) => ({ name, source, streamErrorCode });
  return promise.then((value) => ({ value }), plain);
}

export function bytes(text) {
  return new TextEncoder().encode(text);
}

export function text(bytes) {
  return new TextDecoder().decode(bytes);
}
