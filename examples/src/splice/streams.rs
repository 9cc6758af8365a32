use tokio::task::JoinSet;
use wt_connection::{BiStream, RecvStream, SendStream, Session, SessionError};

use crate::splice::copy::{Broken, copy};
use crate::splice::onward::Onward;

/// Carries the streams that `from` opens, until one of the two is over and what had come is
/// delivered; what broke off is not to be dropped before both are over.
pub(super) async fn carry(from: &Session, to: &Session) -> Vec<Broken> {
    let (mut kept, uni) = tokio::join!(carry_bi(from, to), carry_uni(from, to));
    kept.extend(uni);
    kept
}

async fn carry_bi(from: &Session, to: &Session) -> Vec<Broken> {
    let mut pairs = Pairs::default();
    while let Some(near) = pairs.next(from.accept_bi(), to).await {
        // While there is no room, nothing more is accepted, and `from` may open no more.
        match to.open_bi().await {
            Ok(far) => pairs.join(near, far),
            Err(_) => pairs.keep_bi(near),
        }
    }
    pairs.finish().await
}

async fn carry_uni(from: &Session, to: &Session) -> Vec<Broken> {
    let mut pairs = Pairs::default();
    while let Some(near) = pairs.next(from.accept_uni(), to).await {
        match to.open_uni().await {
            Ok(far) => pairs.spawn(near, far),
            Err(_) => pairs.kept.push(Broken::only(near)),
        }
    }
    pairs.finish().await
}

/// The streams that are carried, and those that were.
#[derive(Default)]
struct Pairs {
    copies: JoinSet<[Option<Broken>; 2]>,
    kept: Vec<Broken>,
}

impl Pairs {
    /// Waits for the next stream; `None` once one of the sessions is over.
    async fn next<T>(
        &mut self,
        accept: impl Future<Output = Result<T, SessionError>>,
        to: &Session,
    ) -> Option<T> {
        tokio::pin!(accept);
        loop {
            tokio::select! {
                accepted = &mut accept => return accepted.ok(),
                _ = to.closed() => return None,
                Some(done) = self.copies.join_next() => {
                    self.kept.extend(done.into_iter().flatten().flatten());
                }
            }
        }
    }

    fn join(&mut self, near: BiStream, far: BiStream) {
        let ((near_send, near_recv), (far_send, far_recv)) = (near.split(), far.split());
        let there = copy(near_recv, Onward::new(far_send));
        let back = copy(far_recv, Onward::new(near_send));
        self.copies
            .spawn(async { tokio::join!(there, back).into() });
    }

    fn spawn(&mut self, near: RecvStream, far: SendStream) {
        let there = copy(near, Onward::new(far));
        self.copies.spawn(async { [there.await, None] });
    }

    fn keep_bi(&mut self, stream: BiStream) {
        let (send, recv) = stream.split();
        self.kept.push(Broken::new(recv, Onward::new(send)));
    }

    /// Waits until all that has come is delivered.
    async fn finish(mut self) -> Vec<Broken> {
        while let Some(done) = self.copies.join_next().await {
            self.kept.extend(done.into_iter().flatten().flatten());
        }
        self.kept
    }
}
