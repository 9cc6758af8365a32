//! What either end of a session can do, whoever wrote it.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::interval;
use wt_connection::{RecvStream, SendStream, Session};

/// One end of a session.
pub(crate) trait End {
    type Send: AsyncWrite + Unpin;
    type Recv: AsyncRead + Unpin;

    async fn open_bi(&self) -> (Self::Send, Self::Recv);
    async fn accept_bi(&self) -> (Self::Send, Self::Recv);
    async fn open_uni(&self) -> Self::Send;
    async fn accept_uni(&self) -> Self::Recv;
    fn send_datagram(&self, payload: &[u8]);
    async fn read_datagram(&self) -> Vec<u8>;
    fn max_datagram_size(&self) -> usize;
}

impl End for Session {
    type Send = SendStream;
    type Recv = RecvStream;

    async fn open_bi(&self) -> (SendStream, RecvStream) {
        self.open_bi().await.unwrap().split()
    }

    async fn accept_bi(&self) -> (SendStream, RecvStream) {
        self.accept_bi().await.unwrap().split()
    }

    async fn open_uni(&self) -> SendStream {
        self.open_uni().await.unwrap()
    }

    async fn accept_uni(&self) -> RecvStream {
        self.accept_uni().await.unwrap()
    }

    fn send_datagram(&self, payload: &[u8]) {
        self.send_datagram(payload).unwrap();
    }

    async fn read_datagram(&self) -> Vec<u8> {
        self.read_datagram().await.unwrap().into()
    }

    fn max_datagram_size(&self) -> usize {
        self.max_datagram_size().unwrap()
    }
}

/// Opens streams of both kinds from both ends, and carries content over each to its end.
pub(crate) async fn exchange_streams(one: &impl End, other: &impl End) {
    bi(one, other).await;
    bi(other, one).await;
    uni(one, other).await;
    uni(other, one).await;
}

/// Sends datagrams from both ends: none, and as much as one can carry.
pub(crate) async fn exchange_datagrams(one: &impl End, other: &impl End) {
    datagram(one, other, &[]).await;
    datagram(other, one, &[]).await;
    datagram(one, other, &vec![1; one.max_datagram_size()]).await;
    datagram(other, one, &vec![2; other.max_datagram_size()]).await;
}

/// Opens a stream that the other end knows of: a reset does not overtake its header any more.
pub(crate) async fn begin<O: End, A: End>(opener: &O, accepter: &A) -> (O::Send, A::Recv) {
    let mut send = opener.open_uni().await;
    send.write_all(b"x").await.unwrap();
    let mut recv = accepter.accept_uni().await;
    recv.read_u8().await.unwrap();
    (send, recv)
}

async fn bi(opener: &impl End, accepter: &impl End) {
    let (mut question, mut answered) = opener.open_bi().await;
    let (mut answer, mut asked) = accepter.accept_bi().await;
    carry(&mut question, &mut asked, &vec![3; LONG]).await;
    carry(&mut answer, &mut answered, &vec![4; LONG]).await;
}

async fn uni(opener: &impl End, accepter: &impl End) {
    for content in [vec![], b"short".to_vec(), vec![5; LONG]] {
        let mut send = opener.open_uni().await;
        let mut recv = accepter.accept_uni().await;
        carry(&mut send, &mut recv, &content).await;
    }
}

async fn carry(
    send: &mut (impl AsyncWrite + Unpin),
    recv: &mut (impl AsyncRead + Unpin),
    content: &[u8],
) {
    let write = async {
        send.write_all(content).await.unwrap();
        send.shutdown().await.unwrap();
    };
    let mut received = Vec::new();
    let (read, ()) = tokio::join!(recv.read_to_end(&mut received), write);
    read.unwrap();
    assert!(received == content, "{} bytes arrived", received.len());
}

/// Sends until it arrives: a datagram may be lost.
async fn datagram(sender: &impl End, receiver: &impl End, payload: &[u8]) {
    let send = async {
        let mut resend = interval(Duration::from_millis(100));
        loop {
            resend.tick().await;
            sender.send_datagram(payload);
        }
    };
    // One that was sent twice may arrive twice, the second time among the next.
    let receive = async { while receiver.read_datagram().await != payload {} };
    tokio::select! {
        () = receive => {}
        () = send => {}
    }
}

/// More than a stream's first window, so that credit has to be returned.
const LONG: usize = 2 << 20;
