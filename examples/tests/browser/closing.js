import { open } from "/page.js";

export async function closes() {
  const session = await open();
  session.close({ closeCode: 0xfedcba98, reason: "genug für heute" });
  return plain(await session.closed);
}

export async function closesSilently() {
  const session = await open();
  session.close();
  return plain(await session.closed);
}

export async function isClosed() {
  const session = await open();
  return plain(await session.closed);
}

export async function isDrained() {
  const session = await open();
  const draining = session.draining.then(() => "draining");
  const closed = session.closed.then(() => "closed");
  const first = await Promise.race([draining, closed]);
  return { first, close: plain(await session.closed) };
}

function plain({ closeCode, reason }) {
  return { closeCode, reason };
}
