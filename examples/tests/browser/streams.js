import { bytes, next, open, read, text, write } from "/page.js";

export async function bothKinds() {
  const session = await open();
  const mine = await session.createBidirectionalStream();
  await write(mine.writable, content("question"));
  const answer = await read(mine.readable);
  const theirs = await next(session.incomingBidirectionalStreams);
  const question = await read(theirs.readable);
  await write(theirs.writable, content("answer"));
  await write(await session.createUnidirectionalStream(), content("one way"));
  const oneWay = await read(await next(session.incomingUnidirectionalStreams));
  return { question, answer, "one way": oneWay };
}

export async function datagrams() {
  const session = await open();
  const { readable, writable, maxDatagramSize } = session.datagrams;
  const answers = {};
  for (const asked of ["short", "long".padEnd(maxDatagramSize)]) {
    answers[asked.trim()] = await answer(asked, writable, readable);
  }
  session.close();
  return { answers, maxDatagramSize };
}

export async function large() {
  const session = await open();
  const { readable, writable } = await session.createBidirectionalStream();
  const content = new Uint8Array(10 * 1024 * 1024);
  for (let start = 0; start < content.length; start += 65536) {
    crypto.getRandomValues(content.subarray(start, start + 65536));
  }
  const sent = new Blob([content]).stream().pipeTo(writable);
  const echo = new Uint8Array(await new Response(readable).arrayBuffer());
  await sent;
  const same = echo.every((byte, index) => byte === content[index]);
  return { length: echo.length, same };
}

/** Asks until it is answered: a datagram may be lost. */
async function answer(asked, writable, readable) {
  const writer = writable.getWriter();
  const ask = () => writer.write(bytes(asked));
  ask();
  const again = setInterval(ask, 100);
  let answer;
  do {
    answer = text(await next(readable));
    // What was asked twice may be answered twice, the second time among the next.
  } while (!answer.startsWith(asked.trim()));
  clearInterval(again);
  writer.releaseLock();
  return answer;
}

function content(what) {
  return `${what} of the page `.repeat(20000);
}
