use wt_connection::{SendDatagramError, Session};

/// Carries the datagrams of `from` until one of the two is over.
pub(super) async fn carry(from: &Session, to: &Session) {
    loop {
        let datagram = tokio::select! {
            datagram = from.read_datagram() => datagram,
            _ = to.closed() => return,
        };
        let Ok(datagram) = datagram else { return };
        match to.send_datagram(datagram) {
            // One that does not fit is lost, as datagrams may be.
            Ok(()) | Err(SendDatagramError::TooLarge { .. } | SendDatagramError::Unsupported) => {}
            Err(_) => return,
        }
    }
}
