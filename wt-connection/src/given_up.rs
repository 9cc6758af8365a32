use bytes::Bytes;

use crate::proto::chunk;

/// Waits until a client has reset its direction of a request's stream, or the connection is over,
/// and says which.
///
/// What comes before is kept in `rest`, up to 4 KiB; of a client that says more before it is
/// answered, nothing is noticed any more. Cancel safe.
///
/// quinn has `received_reset` for this. But what that leaves behind when it is dropped stays there
/// as long as the connection if the end of the stream has arrived and not been read, and then trips
/// an assertion of debug builds.
pub(crate) async fn given_up(recv: &mut quinn::RecvStream, rest: &mut Bytes) -> quinn::ReadError {
    while rest.len() < MAX_AHEAD {
        match recv.read_chunk(MAX_AHEAD - rest.len(), true).await {
            Ok(Some(chunk)) => chunk::append(rest, chunk.bytes),
            // It has finished its direction, which gives up nothing.
            Ok(None) => break,
            Err(error) => return error,
        }
    }
    std::future::pending().await
}

const MAX_AHEAD: usize = 4096;
