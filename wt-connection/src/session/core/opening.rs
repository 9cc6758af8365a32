use std::sync::Arc;

use bytes::Bytes;

use crate::error::SessionError;
use crate::proto::direction::Direction;
use crate::proto::draft;
use crate::session::core::SessionCore;
use crate::session::flow::Opening;
use crate::session::handle::SessionHandle;
use crate::session::incoming::IncomingStream;
use crate::session::unannounced::Unannounced;
use crate::stream::{BiStream, Received, SendStream};

/// How this side opens streams in a session.
impl SessionCore {
    pub(crate) async fn open_bi(
        &self,
        handle: &Arc<SessionHandle>,
    ) -> Result<BiStream, SessionError> {
        self.alive()?;
        let credit = self.may_open(Direction::Bi).await?;
        let (send, recv) = tokio::select! {
            biased;
            opened = self.quinn.open_bi() => opened.map_err(|error| self.lost(error))?,
            ended = self.ended() => return Err(ended),
        };
        let send = Unannounced::new(send)
            .announce(self, &self.bi_header)
            .await?;
        if let Some(credit) = credit {
            credit.opened();
        }
        let recv = Received::new(recv, Bytes::new());
        let mut state = self.state.lock();
        if let Err(ended) = state.alive() {
            drop(state);
            IncomingStream::Bi(send, recv).refuse(draft::SESSION_GONE_03);
            return Err(ended);
        }
        let stream = state.adopt_bi(handle, send, recv);
        drop(state);
        self.touch();
        Ok(stream)
    }

    pub(crate) async fn open_uni(
        &self,
        handle: &Arc<SessionHandle>,
    ) -> Result<SendStream, SessionError> {
        self.alive()?;
        let credit = self.may_open(Direction::Uni).await?;
        let send = tokio::select! {
            biased;
            opened = self.quinn.open_uni() => opened.map_err(|error| self.lost(error))?,
            ended = self.ended() => return Err(ended),
        };
        let send = Unannounced::new(send)
            .announce(self, &self.uni_header)
            .await?;
        if let Some(credit) = credit {
            credit.opened();
        }
        let mut state = self.state.lock();
        if let Err(ended) = state.alive() {
            drop(state);
            drop(Unannounced::new(send));
            return Err(ended);
        }
        let stream = state.adopt_send(handle, send);
        drop(state);
        self.touch();
        Ok(stream)
    }

    /// Waits until the peer lets this side open another stream in the session.
    async fn may_open(&self, direction: Direction) -> Result<Option<Opening<'_>>, SessionError> {
        let Some(flow) = &self.flow else {
            return Ok(None);
        };
        tokio::select! {
            biased;
            opening = flow.open(direction) => Ok(Some(opening)),
            ended = self.ended() => Err(ended),
        }
    }
}
