use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use quinn::{ConnectionError, TransportErrorCode, VarInt};

use crate::program::{Op, Program};
use crate::wire;

/// A peer made of quinn alone, which runs a program.
pub struct Peer {
    quic: quinn::Connection,
    streams: Vec<Stream>,
}

#[derive(Default)]
struct Stream {
    send: Option<quinn::SendStream>,
    recv: Option<quinn::RecvStream>,
}

impl Peer {
    pub fn new(quic: quinn::Connection) -> Self {
        Self {
            quic,
            streams: Vec::new(),
        }
    }

    /// Runs a program; nothing of it is waited for.
    pub async fn run(&mut self, program: Program<'_>) {
        for op in program {
            self.step(op).await;
        }
    }

    /// Opens a control stream, with settings.
    pub async fn control(&mut self, server: bool) {
        self.step(Op::OpenUni).await;
        self.step(Op::Write(self.last(), wire::control(server)))
            .await;
    }

    /// Asks for a session.
    pub async fn connect(&mut self) {
        self.step(Op::OpenBi).await;
        self.step(Op::Write(self.last(), wire::connect("/"))).await;
    }

    /// Answers the first request, if it comes soon.
    pub async fn answer(&mut self) {
        let opened = self.streams.len();
        for _ in 0..5 {
            self.step(Op::Accept).await;
            if self.streams[opened..].iter().any(|new| new.send.is_some()) {
                return self.step(Op::Write(self.last(), wire::answer("200"))).await;
            }
            self.step(Op::Sleep(1)).await;
        }
    }

    /// The number of the last stream that can be written.
    fn last(&self) -> usize {
        let sends = self.streams.iter().filter(|stream| stream.send.is_some());
        sends.count().saturating_sub(1)
    }

    /// Gives the other side time, and looks at whether it is in order.
    ///
    /// # Panics
    ///
    /// Panics if the connection has ended in another way than HTTP/3's.
    pub async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(2)).await;
        match self.quic.close_reason() {
            // Of all that a program does, nothing takes as long as a timeout: the machine stood
            // still.
            None | Some(ConnectionError::LocallyClosed | ConnectionError::TimedOut) => {}
            Some(ConnectionError::ApplicationClosed(close)) => {
                let code = close.error_code.into_inner();
                assert!(
                    matches!(code, 0x100..=0x110 | 0x33 | 0x200..=0x202),
                    "{close:?}"
                );
                assert_ne!(code, 0x102, "{close:?}");
            }
            // What an end in HTTP/3's words is to a client whose handshake is not confirmed
            // (RFC 9000, 10.2.3).
            Some(ConnectionError::ConnectionClosed(close))
                if close.error_code == TransportErrorCode::APPLICATION_ERROR => {}
            Some(other) => panic!("the connection did not end in order: {other:?}"),
        }
    }

    pub fn close(&self) {
        self.quic.close(VarInt::from_u32(0x100), b"");
    }

    async fn step(&mut self, op: Op) {
        match op {
            Op::OpenUni | Op::OpenBi | Op::Accept => self.open(op).await,
            Op::Datagram(payload) => drop(self.quic.send_datagram(payload.into())),
            Op::Yield(times) => {
                for _ in 0..times {
                    tokio::task::yield_now().await;
                }
            }
            Op::Sleep(millis) => tokio::time::sleep(Duration::from_millis(millis.into())).await,
            Op::Close(code) => self.quic.close(varint(code), b"by the program"),
            Op::Read(stream) => {
                if let Some(recv) = self.recv(stream) {
                    let _ = now(recv.read_chunk(usize::MAX, true)).await;
                }
            }
            Op::Stop(stream, code) => {
                if let Some(recv) = self.recv(stream) {
                    let _ = recv.stop(varint(code));
                }
            }
            Op::Write(stream, bytes) => {
                if let Some(send) = self.send(stream) {
                    let _ = now(send.write_all(&bytes)).await;
                }
            }
            Op::Finish(stream) => {
                if let Some(send) = self.send(stream) {
                    let _ = send.finish();
                }
            }
            Op::Reset(stream, code) => {
                if let Some(send) = self.send(stream) {
                    let _ = send.reset(varint(code));
                }
            }
        }
    }

    async fn open(&mut self, op: Op) {
        if self.streams.len() >= MAX_STREAMS {
            return;
        }
        match op {
            Op::OpenUni => {
                if let Some(Ok(send)) = now(self.quic.open_uni()).await {
                    self.keep(Some(send), None);
                }
            }
            Op::OpenBi => {
                if let Some(Ok((send, recv))) = now(self.quic.open_bi()).await {
                    self.keep(Some(send), Some(recv));
                }
            }
            _ => {
                if let Some(Ok(recv)) = now(self.quic.accept_uni()).await {
                    self.keep(None, Some(recv));
                }
                if let Some(Ok((send, recv))) = now(self.quic.accept_bi()).await {
                    self.keep(Some(send), Some(recv));
                }
            }
        }
    }

    fn keep(&mut self, send: Option<quinn::SendStream>, recv: Option<quinn::RecvStream>) {
        self.streams.push(Stream { send, recv });
    }

    /// The stream with this number, of those that can be written.
    fn send(&mut self, stream: usize) -> Option<&mut quinn::SendStream> {
        let sends = self
            .streams
            .iter_mut()
            .filter_map(|stream| stream.send.as_mut());
        pick(sends.collect(), stream)
    }

    /// The stream with this number, of those that can be read.
    fn recv(&mut self, stream: usize) -> Option<&mut quinn::RecvStream> {
        let recvs = self
            .streams
            .iter_mut()
            .filter_map(|stream| stream.recv.as_mut());
        pick(recvs.collect(), stream)
    }
}

fn pick<S>(mut streams: Vec<S>, number: usize) -> Option<S> {
    let number = number.checked_rem(streams.len())?;
    Some(streams.swap_remove(number))
}

/// What a future gives at once.
async fn now<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

fn varint(code: u64) -> VarInt {
    VarInt::from_u64(code).expect("every code of a program is below 2^62")
}

const MAX_STREAMS: usize = 16;
